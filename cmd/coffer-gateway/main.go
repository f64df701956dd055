// Command coffer-gateway is Coffer's REST API, in front of a core.
package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"

	"coffer/internal/program"
)

// version and commit are stamped by the linker.
var version, commit = "dev", ""

// cli is the command line.
type cli struct {
	Serve  serveCmd  `cmd:"" default:"withargs" help:"Serve the API (the default)."`
	Health healthCmd `cmd:"" help:"Ask a running gateway whether it reaches the core; exit 0 if it does."`

	Completion program.CompletionCommand `cmd:"" help:"Print a script that makes a shell complete this program's command line."`
	Man        program.ManCommand        `cmd:"" hidden:"" help:"Print the manual page."`

	Version kong.VersionFlag `help:"Print version, commit and Go version."`
}

func main() { os.Exit(program.Main(run)) }

// run parses the command line, does what it says and returns the exit code.
func run(ctx context.Context, args []string, std program.Streams) int {
	p := program.Program{
		Name: "coffer-gateway",
		Description: "The REST API of Coffer, an encrypted backup system. Each flag has an environment variable, named in brackets; " +
			"those that coffer-server has too begin with COFFER_GATEWAY_, so that both can run in one environment.",
		Version: version,
		Commit:  commit,
		Section: 8,
	}
	return p.Run(ctx, new(cli), args, std)
}
