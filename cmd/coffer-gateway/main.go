// Command coffer-gateway is Coffer's REST API, in front of a core.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is stamped by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// cli is the command line.
type cli struct {
	Serve   serveCmd         `cmd:"" default:"withargs" help:"Serve the API (the default)."`
	Health  healthCmd        `cmd:"" help:"Ask a running gateway whether it reaches the core; exit 0 if it does."`
	Version kong.VersionFlag `help:"Print version, commit and Go version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run parses the command line, does what it says and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("coffer-gateway"),
		kong.Description("The REST API of Coffer, an encrypted backup system. Each flag has an environment variable, named in brackets; "+
			"those that coffer-server has too begin with COFFER_GATEWAY_, so that both can run in one environment."),
		kong.Vars{"version": versionLine()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(output{stdout, stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "coffer-gateway:", err)
		return exitFail
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintln(stderr, "coffer-gateway:", err)
		return exitUsage
	}
	if err := kctx.Run(); err != nil {
		fmt.Fprintln(stderr, "coffer-gateway:", err)
		var usage usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFail
	}
	return exitOK
}

// output is where a command writes.
type output struct{ out, err io.Writer }

// usageError: a flag's value makes no sense.
type usageError struct{ error }

func versionLine() string {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return fmt.Sprintf("coffer-gateway %s (commit %s, %s %s/%s)", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
