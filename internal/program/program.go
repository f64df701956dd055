// Package program is the shell of Coffer's programs: they all read a command
// line and the environment in the same way, understand the same values in it,
// keep secrets and speak TLS alike, and end with one line of explanation and an
// exit code that means the same in each. It knows nothing of what they do.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	ExitOK          = 0
	ExitFail        = 1
	ExitUsage       = 2
	ExitIncomplete  = 3
	ExitInterrupted = 130
)

// exitCodes is what help says of them.
const exitCodes = "Exit codes: 0 done; 1 not done; 2 the command line makes no sense; " +
	"3 done, with something left out or changed; 130 interrupted."

var (
	// ErrUsage is wrapped by what only a command can see is wrong with the
	// command line. It makes the exit code ExitUsage.
	ErrUsage = errors.New("usage")
	// ErrIncomplete is for a command that did what it could and reported what it
	// had to leave out. It makes the exit code ExitIncomplete.
	ErrIncomplete = errors.New("something was left out")
	// ErrInterrupted means that a command was interrupted. It makes the exit
	// code ExitInterrupted.
	ErrInterrupted = errors.New("interrupted")
)

// Streams are what a program reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main calls run with the process's arguments and streams, under a context that
// ends at SIGINT, SIGTERM or SIGHUP, and returns the exit code. Who started the
// process with SIGINT or SIGHUP ignored, as shells do in the background and
// nohup does, means to end it in another way. A pipe that nobody reads any more
// is an error of writing and does not end the process before it has cleaned up.
func Main(run func(ctx context.Context, args []string, std Streams) int) int {
	signals := []os.Signal{syscall.SIGTERM}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			signals = append(signals, sig)
		}
	}
	signal.Ignore(syscall.SIGPIPE)
	// They stay caught until the process has ended: a second one, between the
	// work's end and the process's, would make it end as if it had failed.
	ctx, _ := signal.NotifyContext(context.Background(), signals...)
	return run(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// A Program has a command line.
type Program struct {
	Name        string
	Description string
	Version     string // stamped by the linker
	Commit      string // the same; what the build says if it is empty
	Section     int    // of the manual: 1 if people use it, 8 if it serves; 0 is 1
	// Environment, if set, replaces the process's environment.
	Environment Lookup
	// Earlier, if there is one, is what a variable was called before; "" if it
	// has no other name. The earlier one still counts, with a notice.
	Earlier func(variable string) string
	// Explain, if set, returns the error to show to a person for a command's
	// error.
	Explain func(error) error
}

// Run parses the command line that cli describes in kong's manner, runs its
// command and returns the exit code. Commands can have the context and the
// streams as arguments of their Run methods.
func (p Program) Run(ctx context.Context, cli any, args []string, std Streams, options ...kong.Option) int {
	exited := -1
	parser, err := kong.New(cli, append(append(arguments(),
		kong.Name(p.Name),
		kong.Description(p.Description+"\n\n"+exitCodes),
		kong.Vars{"version": p.VersionLine()},
		kong.Writers(std.Out, std.Err),
		kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, p),
		kong.Resolvers(p.environment(std)),
		kong.ValueFormatter(helpText),
	), options...)...)
	if err != nil {
		p.say(std, err)
		return ExitFail
	}
	takeOver(parser.Model.Node)
	if len(args) > 0 && args[0] == completeArg {
		if err := complete(std.Out, parser.Model, args[1:]); err != nil {
			return ExitFail // nobody reads on
		}
		return ExitOK
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help, --version
	}
	if err != nil {
		p.say(std, fmt.Errorf("%w (see %s --help)", err, p.Name))
		return ExitUsage
	}
	err = parsed.Run(parser.Model)
	if err == nil {
		return ExitOK
	}
	if unread(err, std.Out) {
		return ExitFail // the reader has stopped, and knows
	}
	if p.Explain != nil {
		err = p.Explain(err)
	}
	p.say(std, err)
	switch {
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, ErrIncomplete):
		return ExitIncomplete
	case errors.Is(err, ErrInterrupted):
		return ExitInterrupted
	default:
		return ExitFail
	}
}

// unread reports whether an error is that nobody reads the output any more, as
// when it is piped to head.
func unread(err error, out io.Writer) bool {
	var failed *os.PathError
	f, ok := out.(*os.File)
	return ok && errors.Is(err, syscall.EPIPE) && errors.As(err, &failed) && failed.Path == f.Name()
}

// say prints an error as one line. Part of it may be a server's words.
func (p Program) say(std Streams, err error) {
	fmt.Fprintf(std.Err, "%s: %s\n", p.Name, Printable(strings.ReplaceAll(err.Error(), "\n", "; ")))
}

// A Build says what a program was built from, and with what.
type Build struct{ Commit, Go, Platform string }

// Build says which build of the program this is.
func (p Program) Build() Build {
	b := Build{Commit: p.Commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok && b.Commit == "" {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				b.Commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				b.Commit += " and changes"
			}
		}
	}
	if b.Commit == "" {
		b.Commit = "unknown"
	}
	return b
}

// VersionLine says the same as one line.
func (p Program) VersionLine() string {
	b := p.Build()
	return fmt.Sprintf("%s %s (commit %s, %s %s)", p.Name, p.Version, b.Commit, b.Go, b.Platform)
}
