// Command coffer-gateway serves the REST API and the web client of Coffer, in
// front of a core.
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
	Health healthCmd `cmd:"" help:"Check a running gateway; exits with 0 if it reaches the core."`

	Completion program.CompletionCommand `cmd:"" help:"Print a shell completion script."`
	Man        program.ManCommand        `cmd:"" help:"Print the manual page."`

	Version kong.VersionFlag `help:"Print version, commit and Go version."`
}

func main() { os.Exit(program.Main(run)) }

// run parses the command line, runs the command and returns the exit code.
func run(ctx context.Context, args []string, std program.Streams) int {
	p := program.Program{
		Name:        "coffer-gateway",
		Description: "The REST API of Coffer, an encrypted backup system. The environment variable of each flag is shown in brackets.",
		Version:     version,
		Commit:      commit,
		Section:     8,
		// The variables that the core has too always had the gateway's prefix.
		Earlier: program.EarlierPrefix("COFFER_GATEWAY_", "LISTEN", "MAX_PACKET", "TLS_CERT", "TLS_KEY", "LOG_FORMAT", "LOG_LEVEL"),
	}
	return p.Run(ctx, new(cli), args, std)
}
