package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"coffer/backup"
	"coffer/export"
	"coffer/internal/program"
	"coffer/internal/quantity"
)

type restoreCommand struct {
	Name       string         `arg:"" optional:"" help:"Name of the backup; of a snapshot NAME@VERSION or NAME@DATE as well, with :PATH for something in it."`
	Output     string         `short:"o" type:"filename" placeholder:"PATH" help:"Destination; - is standard output (default: its name, in this folder)."`
	Version    uint32         `help:"Version to use (default: the newest)."`
	Force      bool           `help:"Replace existing files. Other files in a folder stay."`
	Delete     bool           `help:"With --force: delete everything in a folder that is not in the backup."`
	FromExport string         `type:"existingdir" placeholder:"FOLDER" help:"Restore from an export made by coffer-server export, without a server."`
	All        bool           `help:"With --from-export: restore the newest version of every file to the --output folder (default: this folder)."`
	MaxSize    quantity.Bytes `placeholder:"SIZE" help:"Maximum size to restore, such as 10GiB. Default: ask before unpacking to a thousand times the archive's size."`
	Trust      bool           `help:"Restore setuid and setgid bits of unencrypted backups and, with file capabilities and devices, of snapshots from send-only machines."`
	snapshotFlags
	trustFlags
}

// Validate checks what flags mean together.
func (c *restoreCommand) Validate() error {
	if _, ok := overwrite(c.Overwrite); !ok {
		return fmt.Errorf("--overwrite is always, if-changed, if-newer or never, not %q", c.Overwrite)
	}
	switch {
	case c.All && (c.FromExport == "" || c.Name != "" || c.Version != 0 || c.Output == "-"):
		return errors.New("--all needs --from-export and a folder as --output, and excludes a name and --version")
	case !c.All && c.Name == "":
		return errors.New("no name given: add one, or --all with --from-export")
	case c.Delete && !c.Force && c.Overwrite == "":
		return errors.New("--delete needs --force or --overwrite")
	case (c.Archive || c.FromExport != "") && c.snapshotFlags.any():
		return errors.New("--archive and --from-export exclude the flags of snapshots")
	case c.Force && c.Overwrite != "" && c.Overwrite != "always":
		return errors.New("--force is --overwrite always")
	}
	return nil
}

func (c *restoreCommand) Run(a *app) error {
	u, err := a.openUser()
	if err != nil {
		return err
	}
	defer u.session.Close()
	snaps, t, isSnapshot, err := c.snapshotTarget(a, u)
	if err != nil {
		return err
	}
	if isSnapshot {
		return c.snapshot(a, u, snaps, t)
	}
	changed := notes{a: a, kept: "restored"}
	opts := backup.RestoreOptions{Identity: u.identity, Force: c.Force, Delete: c.Delete, Trust: c.trust(u.memory),
		KeepSetID: c.Trust, MaxSize: int64(min(c.MaxSize, math.MaxInt64)), Changed: changed.add, Confirm: c.confirm(a)}
	var folder *export.Folder
	if c.FromExport != "" {
		if folder, err = export.Open(c.FromExport); err != nil {
			return err
		}
	}
	if c.All {
		err = c.all(a, u, folder, opts)
	} else {
		err = c.single(a, u, folder, opts)
	}
	if err != nil {
		return err
	}
	return changed.incomplete()
}

// confirm asks about what becomes absurdly large.
func (c *restoreCommand) confirm(a *app) func(unpacked, archived int64) bool {
	return func(unpacked, archived int64) bool {
		err := a.confirm(fmt.Sprintf("%s has unpacked to %s so far, and there is more: continue?", program.Size(uint64(archived)), program.Size(uint64(unpacked))))
		return err == nil
	}
}

// single restores one file, from an export if folder is not nil.
func (c *restoreCommand) single(a *app, u *user, folder *export.Folder, opts backup.RestoreOptions) error {
	if opts.Path = c.Output; opts.Path == "" {
		opts.Path = path.Base(c.Name)
		if strings.HasSuffix(c.Name, "/") || backup.CheckLocalName(opts.Path) != nil {
			return fmt.Errorf("%w: %q is not a valid file name here: choose a destination with -o", program.ErrUsage, c.Name)
		}
	}
	if c.Output == "-" {
		if err := a.needOutput(); err != nil {
			return err
		}
		opts.Writer = a.stdout
		opts.RefuseFolder = isTerminal(a.stdout)
	}
	bar := program.NewBar(a.stderr, a.quiet)
	opts.Progress = bar.Show
	var restored *backup.Restored
	var err error
	if folder != nil {
		restored, err = backup.RestoreExport(a.ctx, u.session, folder, c.Name, c.Version, opts)
	} else {
		restored, err = backup.Restore(a.ctx, u.session, c.Name, c.Version, opts)
	}
	bar.Clear()
	if err != nil {
		return about("restore", c.Name, c.Version, err)
	}
	a.remembers(restored.Unremembered)
	if opts.Writer != nil {
		return nil // standard output is the file's
	}
	return c.say(a, restored, opts.Path)
}

// say tells of one that was restored.
func (c *restoreCommand) say(a *app, restored *backup.Restored, to string) error {
	l := describe(restored.FileEntry)
	l.Size, l.Seen = &restored.Content, restored.Seen
	if a.json {
		return a.printJSON(struct {
			listed
			Path string `json:"path"`
		}{l, to})
	}
	_, err := fmt.Fprintf(a.stdout, "restored %s, version %d, to %s: %s, cksum %s, verified%s\n",
		program.Printable(restored.Name), restored.Version, program.Printable(to), program.Size(restored.Content), program.Checksum(restored.Cksum), newHere(restored.Seen))
	return err
}

// all restores every file of an export. One that fails does not keep the others
// from coming back.
func (c *restoreCommand) all(a *app, u *user, folder *export.Folder, opts backup.RestoreOptions) error {
	if c.Output == "" {
		c.Output = "."
	}
	if err := os.MkdirAll(c.Output, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Output)
	if err != nil {
		return err
	}
	defer root.Close()
	bar := program.NewBar(a.stderr, a.quiet)
	opts.Root, opts.Progress = root, bar.Show
	var failed error
	done := 0
	err = backup.RestoreAll(a.ctx, u.session, folder, opts, func(name string, restored *backup.Restored, err error) error {
		bar.Clear()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("restore %q: %w", name, withRemedy(err)))
			return nil
		}
		done++
		a.remembers(restored.Unremembered)
		return c.say(a, restored, filepath.Join(c.Output, filepath.FromSlash(name)))
	})
	if err == nil && failed != nil && done > 0 {
		return incomplete(failed.Error())
	}
	return errors.Join(err, failed)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
