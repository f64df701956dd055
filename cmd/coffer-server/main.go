// Command coffer-server is the core of Coffer: it serves the wire protocol and
// stores what clients send.
package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"

	"coffer/internal/program"
)

// version and commit are stamped by the linker.
var version, commit = "dev", ""

// cli is the command line. Each flag of the service has an environment variable
// with the flag's name. The other commands have variables only for where the
// service and its data are: a variable must not change what a command does.
type cli struct {
	Serve    serveCmd    `cmd:"" default:"withargs" help:"Serve clients (the default)."`
	Rebuild  rebuildCmd  `cmd:"" help:"Rebuild a lost catalog from the records stored with the blobs."`
	Scrub    scrubCmd    `cmd:"" help:"Read back everything stored and verify it."`
	Import   importCmd   `cmd:"" help:"Import clients and files from an earlier server."`
	Export   exportCmd   `cmd:"" help:"Export all files of one client to a folder that can be restored without a server."`
	Accounts accountsCmd `cmd:"" help:"List the accounts of a running server."`
	Account  accountCmd  `cmd:"" help:"Manage an account, such as restoring replaced keys."`
	Doctor   doctorCmd   `cmd:"" help:"Show recent failed client requests field by field, with the usual cause."`
	Health   healthCmd   `cmd:"" help:"Check a running server; exits with 0 if it is healthy."`
	Pin      pinCmd      `cmd:"" help:"Print the certificate pin that clients use to verify the server."`
	Link     linkCmd     `cmd:"" help:"Print a link that signs a browser in to the console."`
	Top      topCmd      `cmd:"" help:"Show live metrics, transfers and activity of a running server in the terminal."`

	Completion program.CompletionCommand `cmd:"" help:"Print a shell completion script."`
	Man        program.ManCommand        `cmd:"" help:"Print the manual page."`

	Version kong.VersionFlag `help:"Print version, commit and Go version."`
}

func main() { os.Exit(program.Main(run)) }

// run parses the command line, runs the command and returns the exit code.
func run(ctx context.Context, args []string, std program.Streams) int {
	p := program.Program{
		Name:        "coffer-server",
		Description: "The core of Coffer, an encrypted backup system.",
		Version:     version,
		Commit:      commit,
		Section:     8,
		Earlier:     program.EarlierPrefix("COFFER_SERVER_"),
	}
	return p.Run(ctx, new(cli), args, std)
}
