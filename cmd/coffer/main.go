// Command coffer backs up files and folders to a Coffer server and restores
// them. It is flags and wiring; package backup does the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"coffer/backup"
	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/seal"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// version and commit are stamped by the linker.
var version, commit = "dev", ""

func main() {
	os.Exit(program.Main(func(ctx context.Context, args []string, std program.Streams) int {
		return run(ctx, args, std, os.LookupEnv)
	}))
}

// cli is the whole command line.
type cli struct {
	Register   registerCommand   `cmd:"" help:"Register with a server and create this machine's keys."`
	SignIn     signInCommand     `cmd:"" name:"sign-in" help:"Set up this machine with an account's name and passphrase."`
	Passphrase passphraseCommand `cmd:"" help:"Set or change the account's passphrase, for signing in elsewhere."`
	Backup     backupCommand     `cmd:"" help:"Back up a file, a folder, or standard input."`
	List       listCommand       `cmd:"" help:"List backups."`
	LS         lsCommand         `cmd:"" name:"ls" help:"List the content of a snapshot; without a name, list backups."`
	Find       findCommand       `cmd:"" help:"Find files in snapshots by name."`
	Diff       diffCommand       `cmd:"" help:"Compare two snapshots."`
	Cat        catCommand        `cmd:"" help:"Print a file of a snapshot."`
	Mount      mountCommand      `cmd:"" help:"Show snapshots as a folder, until interrupted (Linux)."`
	Restore    restoreCommand    `cmd:"" help:"Restore a file or folder."`
	Verify     verifyCommand     `cmd:"" help:"Verify that backups can be restored."`
	Stats      statsCommand      `cmd:"" help:"Show the size of snapshots and the space they take."`
	Uploads    uploadsCommand    `cmd:"" help:"List or discard backups that did not finish."`
	Remove     removeCommand     `cmd:"" help:"Remove a file, or one version of it, from the server."`
	Status     statusCommand     `cmd:"" help:"Show the account and its server's limits."`
	Pin        pinCommand        `cmd:"" help:"Show the server's pinned certificate, or accept a new one."`
	Machine    machineCommand    `cmd:"" help:"Manage machines that can back up into the account and read nothing."`
	Account    accountCommand    `cmd:"" help:"Manage other ways to use the account."`
	Profile    profileCommand    `cmd:"" help:"Manage profiles: several accounts on one machine."`
	Key        keyCommand        `cmd:"" help:"Export or import this machine's registration and keys."`
	Version    versionCommand    `cmd:"" help:"Show version, commit and Go version; --version does the same."`

	Completion program.CompletionCommand `cmd:"" help:"Print a shell completion script."`
	Man        program.ManCommand        `cmd:"" help:"Print the manual page."`

	JSON       bool   `name:"json" help:"Print data as JSON."`
	Quiet      bool   `short:"q" help:"Show no progress."`
	UseProfile string `name:"profile" env:"COFFER_PROFILE" placeholder:"NAME" help:"Profile to use: an account on this machine. Default: the one chosen with coffer profile use."`
}

// app is what commands work with.
type app struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	json, quiet    bool
	profile        string // the one asked for; "" is the one in use

	settled string // how the server is reached, not yet printed
}

// AfterApply hands the flags that go with every command to the command.
func (c *cli) AfterApply(a *app) error {
	a.json, a.quiet, a.profile = c.JSON, c.Quiet, c.UseProfile
	if a.profile == "" {
		return nil
	}
	return checkProfileName(a.profile)
}

// run parses the command line, runs the command and returns the exit code.
func run(ctx context.Context, args []string, std program.Streams, env func(string) (string, bool)) int {
	switch {
	case len(args) == 0:
		// The command is missing: help lists the commands.
		a := &app{ctx: ctx, env: env}
		a.program().Run(ctx, new(cli), []string{"--help"}, program.Streams{In: std.In, Out: std.Err, Err: std.Err}, kong.Bind(a))
		return program.ExitUsage
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		// No global flag can have this name: restore has a --version too.
		args = []string{"version"}
	}
	a := &app{ctx: ctx, stdin: std.In, stdout: std.Out, stderr: std.Err, env: env}
	return a.program().Run(ctx, new(cli), args, std, kong.Bind(a))
}

func (a *app) program() program.Program {
	return program.Program{
		Name:        "coffer",
		Description: "Encrypted backups. Only this machine's keys can open what it backs up.",
		Version:     version,
		Commit:      commit,
		Section:     1,
		Environment: a.env,
		Explain:     a.explain,
	}
}

// errNotConfirmed: a person was asked, and did not answer yes.
var errNotConfirmed = errors.New("nothing was done")

// explain returns the error that a person sees for a command's error.
func (a *app) explain(err error) error {
	if a.ctx.Err() != nil {
		return program.ErrInterrupted
	}
	return withRemedy(err)
}

// withRemedy adds what a person can do to errors that have a known remedy.
func withRemedy(err error) error {
	switch {
	case errors.Is(err, client.ErrReconnectDenied):
		return fmt.Errorf("%w (check the server's address, or register again)", err)
	case errors.Is(err, backup.ErrFolderExists):
		return fmt.Errorf("%w (--force replaces the files in the backup and keeps the rest; --force --delete deletes the rest; -o chooses another destination)", err)
	case errors.Is(err, backup.ErrExists):
		return fmt.Errorf("%w (--force replaces it, -o chooses another destination)", err)
	case errors.Is(err, backup.ErrOtherKey):
		return fmt.Errorf("%w (import the keys that made this backup with coffer key import)", err)
	case errors.Is(err, backup.ErrUnsealed):
		return fmt.Errorf("%w (--accept-unsealed accepts it)", err)
	case errors.Is(err, backup.ErrOlder), errors.Is(err, backup.ErrReplaced), errors.Is(err, backup.ErrMissing):
		return fmt.Errorf("%w (if you removed it or backed it up on another machine, --accept-older continues from the server's state)", err)
	case errors.Is(err, backup.ErrOtherSource), errors.Is(err, take.ErrOtherSource):
		return fmt.Errorf("%w (--name chooses another name; --adopt uses this name for the new source)", err)
	case errors.Is(err, seal.ErrAbsurdSize):
		return fmt.Errorf("%w (--max-size sets the limit)", err)
	case errors.Is(err, seal.ErrFolderInTheWay):
		return fmt.Errorf("%w (--delete replaces it and deletes everything else in the way)", err)
	case errors.Is(err, view.ErrDamaged):
		return fmt.Errorf("%w (--keep-going restores everything else)", err)
	case errors.Is(err, backup.ErrIsFolder):
		return fmt.Errorf("%w (-o chooses a destination)", err)
	case errors.Is(err, client.ErrNoSnapshots):
		return fmt.Errorf("%w (until then, coffer backup --archive sends a file or folder as a whole)", err)
	case client.IsStatus(err, protocol.StatusNoSpace):
		return fmt.Errorf("the server has no space left: %w", err)
	}
	return inWords(err)
}

type versionCommand struct{}

func (versionCommand) Run(a *app) error {
	if a.json {
		build := a.program().Build()
		return a.printJSON(map[string]string{"version": version, "commit": build.Commit, "go": build.Go, "platform": build.Platform})
	}
	_, err := fmt.Fprintln(a.stdout, a.program().VersionLine())
	return err
}
