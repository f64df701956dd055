// Command coffer backs up files and folders to a Coffer server and brings them
// back. It is flags and wiring; package backup does the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"coffer/backup"
	"coffer/client"
	"coffer/protocol"
)

// version is set by the linker: -X main.version=v1.2.3.
var version string

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}

// cli is the whole command line.
type cli struct {
	Register registerCommand `cmd:"" help:"Register with a server and make this machine's keys."`
	Backup   backupCommand   `cmd:"" help:"Back up a file, a folder, or standard input."`
	List     listCommand     `cmd:"" help:"List what is backed up."`
	Restore  restoreCommand  `cmd:"" help:"Bring a file or folder back."`
	Verify   verifyCommand   `cmd:"" help:"Read backups back and check them."`
	Remove   removeCommand   `cmd:"" help:"Remove a file, or one version of it, from the server."`
	Status   statusCommand   `cmd:"" help:"Show the account and the server's limits."`
	Key      keyCommand      `cmd:"" help:"Carry this machine's registration and keys elsewhere."`
	Version  versionCommand  `cmd:"" help:"Show the version of this program."`

	JSON  bool `name:"json" env:"COFFER_JSON" help:"Print data as JSON."`
	Quiet bool `short:"q" env:"COFFER_QUIET" help:"Show no progress."`
}

// app is what commands work with.
type app struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	json, quiet    bool
}

// run is the program; its answer is the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) (code int) {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("coffer"),
		kong.Description("Encrypted backups: what leaves this machine, only this machine's keys can open."),
		kong.Writers(stdout, stderr), kong.Resolvers(environment(env)),
		kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(stderr, "coffer:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		fmt.Fprintf(stderr, "coffer: %v (see coffer --help)\n", err)
		return exitUsage
	}
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, env: env, json: c.JSON, quiet: c.Quiet}
	if err := parsed.Run(a); err != nil {
		return a.report(err)
	}
	return exitDone
}

// environment resolves flags from the given environment, not the process's.
func environment(env func(string) (string, bool)) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if value, ok := env(name); ok {
				return value, nil
			}
		}
		return nil, nil
	})
}

// errUsage is wrapped by what only the commands can see is wrong with the
// command line.
var errUsage = errors.New("usage")

// report prints an error as one line and returns the exit code.
func (a *app) report(err error) int {
	if a.ctx.Err() != nil {
		fmt.Fprintln(a.stderr, "coffer: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(a.stderr, "coffer:", strings.ReplaceAll(explain(err), "\n", "; "))
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// explain adds what a person can do to errors that have a known remedy.
func explain(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, client.ErrReconnectDenied):
		return text + " (is this the right server? otherwise register anew)"
	case errors.Is(err, backup.ErrExists):
		return text + " (--force replaces it, -o names another place)"
	case errors.Is(err, backup.ErrOtherKey):
		return text + " (import the profile that made this backup: coffer key import)"
	case client.IsStatus(err, protocol.StatusNoSpace):
		return "the server has no space left: " + text
	}
	return text
}

type versionCommand struct{}

func (versionCommand) Run(a *app) error {
	v := version
	if v == "" {
		v = "unknown"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			v = info.Main.Version
		}
	}
	if a.json {
		return a.printJSON(map[string]string{"version": v})
	}
	_, err := fmt.Fprintln(a.stdout, "coffer", v)
	return err
}
