package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/term"

	"coffer/backup"
	"coffer/export"
	"coffer/internal/program"
	"coffer/protocol"
)

type restoreCommand struct {
	Name       string `arg:"" optional:"" help:"What it is called on the server."`
	Output     string `short:"o" type:"filename" placeholder:"PATH" help:"Where it goes; - is standard output (default: its name, here)."`
	Version    uint32 `help:"Which version (default: the newest)."`
	Force      bool   `help:"Replace what is there by what the backup has; what else is in a folder stays."`
	Delete     bool   `help:"With --force: make a folder what the backup has, and delete what else is in it."`
	FromExport string `type:"existingdir" placeholder:"FOLDER" help:"Read what coffer-server export wrote, without any server."`
	All        bool   `help:"With --from-export: the newest version of every file, into the folder of --output (default: here)."`
	trustFlags
}

// Validate checks what flags mean together.
func (c *restoreCommand) Validate() error {
	switch {
	case c.All && (c.FromExport == "" || c.Name != "" || c.Version != 0 || c.Output == "-"):
		return errors.New("--all goes with --from-export and a folder for --output, and without a name or --version")
	case !c.All && c.Name == "":
		return errors.New("which file? give its name, or --all with --from-export")
	case c.Delete && !c.Force:
		return errors.New("--delete goes with --force")
	}
	return nil
}

func (c *restoreCommand) Run(a *app) error {
	u, err := a.openUser()
	if err != nil {
		return err
	}
	defer u.session.Close()
	opts := backup.RestoreOptions{Identity: u.identity, Force: c.Force, Delete: c.Delete, Trust: c.trust(u.memory)}
	restore := func(name string) (*backup.Restored, error) {
		return backup.Restore(a.ctx, u.session, name, c.Version, opts)
	}
	if c.FromExport != "" {
		folder, err := export.Open(c.FromExport)
		if err != nil {
			return err
		}
		restore = func(name string) (*backup.Restored, error) {
			return backup.RestoreExport(a.ctx, u.session, folder, name, c.Version, opts)
		}
		if c.All {
			return c.all(a, folder, &opts, restore)
		}
	}
	if opts.Path = c.Output; opts.Path == "" {
		opts.Path = path.Base(c.Name)
	}
	if c.Output == "-" {
		opts.Writer = a.stdout
		opts.RefuseFolder = isTerminal(a.stdout)
	}
	return c.one(a, c.Name, &opts, restore)
}

// one restores one file and says so.
func (c *restoreCommand) one(a *app, name string, opts *backup.RestoreOptions, restore func(string) (*backup.Restored, error)) error {
	bar := program.NewBar(a.stderr, a.quiet)
	opts.Progress = bar.Show
	info, err := restore(name)
	bar.Clear()
	if err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	a.remembers(info.Unremembered)
	if opts.Writer != nil {
		return nil // standard output is the file's
	}
	l := describe(info.FileEntry)
	l.Size, l.Seen = &info.Content, info.Seen
	if a.json {
		return a.printJSON(struct {
			listed
			Path string `json:"path"`
		}{l, opts.Path})
	}
	_, err = fmt.Fprintf(a.stdout, "restored %s, version %d, to %s: %s, cksum %s, verified%s\n",
		program.Printable(info.Name), info.Version, program.Printable(opts.Path), program.Size(info.Content), program.Checksum(info.Cksum), newHere(info.Seen))
	return err
}

// all restores every file of an export. One that fails does not keep the others
// from coming back.
func (c *restoreCommand) all(a *app, folder *export.Folder, opts *backup.RestoreOptions, restore func(string) (*backup.Restored, error)) error {
	seen := make(map[string]bool)
	var failed error
	for _, f := range folder.Files {
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		if err := a.ctx.Err(); err != nil {
			return err
		}
		local := filepath.FromSlash(f.Name)
		if protocol.CheckName(f.Name) != nil || !filepath.IsLocal(local) {
			failed = errors.Join(failed, fmt.Errorf("restore %q: the name leads out of the folder", f.Name))
			continue
		}
		opts.Path = filepath.Join(c.Output, local)
		err := os.MkdirAll(filepath.Dir(opts.Path), 0o755)
		if err == nil {
			err = c.one(a, f.Name, opts, restore)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
