// Command coffer-server is Coffer's core: it serves the wire protocol and
// keeps clients' files.
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

// cli is the command line. What the service is set up with has variables of the
// environment, each named by its flag; so have the other commands for where the
// service and its data are, and for nothing else: a variable must not change
// what a command does.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Serve clients (the default)."`
	Rebuild rebuildCmd `cmd:"" help:"Rebuild a lost catalog from what lies with the blobs."`
	Scrub   scrubCmd   `cmd:"" help:"Read back all that is stored and compare it with what came in."`
	Import  importCmd  `cmd:"" help:"Take over clients and files of an earlier server."`
	Export  exportCmd  `cmd:"" help:"Write everything of one client into a folder that opens without any server."`
	Account accountCmd `cmd:"" help:"Help the owner of an account whose keys were replaced."`
	Doctor  doctorCmd  `cmd:"" help:"Show, field by field, the last requests of clients that failed, and what is usually wrong then."`
	Health  healthCmd  `cmd:"" help:"Ask a running server whether all is well; exit 0 if it is."`
	Pin     pinCmd     `cmd:"" help:"Print what clients pin the server's certificate by."`
	Link    linkCmd    `cmd:"" help:"Print the link that signs a browser in to a running server's console."`
	Top     topCmd     `cmd:"" help:"Show a running server's figures, transfers and activity in the terminal, live."`

	Completion program.CompletionCommand `cmd:"" help:"Print a script that makes a shell complete this program's command line."`
	Man        program.ManCommand        `cmd:"" help:"Print the manual page."`

	Version kong.VersionFlag `help:"Print version, commit and Go version."`
}

func main() { os.Exit(program.Main(run)) }

// run parses the command line, does what it says and returns the exit code.
func run(ctx context.Context, args []string, std program.Streams) int {
	p := program.Program{
		Name:        "coffer-server",
		Description: "The core of Coffer, an encrypted backup system.",
		Version:     version,
		Commit:      commit,
		Section:     8,
		Earlier:     earlier,
	}
	return p.Run(ctx, new(cli), args, std)
}

// earlier is what a variable was called before services had prefixes of their
// own.
func earlier(variable string) string {
	name, cut := strings.CutPrefix(variable, "COFFER_SERVER_")
	if !cut {
		return ""
	}
	return "COFFER_" + name
}
