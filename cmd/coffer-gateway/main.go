// Command coffer-gateway is Coffer's REST API, in front of a core.
package main

import (
	"context"
	"os"
	"strings"

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

// run parses the command line, does what it says and returns the exit code.
func run(ctx context.Context, args []string, std program.Streams) int {
	p := program.Program{
		Name:        "coffer-gateway",
		Description: "The REST API of Coffer, an encrypted backup system. The environment variable of each flag is shown in brackets.",
		Version:     version,
		Commit:      commit,
		Section:     8,
		Earlier:     earlier,
	}
	return p.Run(ctx, new(cli), args, std)
}

// earlier is what a variable was called before all of them had the gateway's
// prefix. Those that had to be told from the core's always had it.
func earlier(variable string) string {
	name, cut := strings.CutPrefix(variable, "COFFER_GATEWAY_")
	switch name {
	case "LISTEN", "MAX_PACKET", "TLS_CERT", "TLS_KEY", "LOG_FORMAT", "LOG_LEVEL":
		return ""
	}
	if !cut {
		return ""
	}
	return "COFFER_" + name
}
