package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"coffer/backup"
	"coffer/internal/program"
)

type backupCommand struct {
	Path   string `arg:"" type:"filename" help:"A file, a folder, or - for standard input."`
	Name   string `help:"What it is called on the server (default: the name of the file)."`
	NoSeal bool   `name:"no-seal" help:"Leave out the sealing: the server could read it."`
}

func (c *backupCommand) Run(a *app) error {
	source, err := c.source(a)
	if err != nil {
		return err
	}
	if c.Name == "" {
		abs, err := filepath.Abs(c.Path)
		if err != nil {
			return err
		}
		c.Name = filepath.Base(abs)
	}
	session, id, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	bar := program.NewBar(a.stderr, a.quiet)
	opts := backup.Options{Identity: id, Progress: bar.Show, Skipped: func(path, reason string) {
		bar.Clear()
		fmt.Fprintf(a.stderr, "coffer: left out %q: %s\n", path, reason)
	}}
	if c.NoSeal {
		opts.Identity = nil
	}
	result, err := backup.Backup(a.ctx, session, c.Name, source, opts)
	bar.Clear()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Name     string `json:"name"`
			Version  uint32 `json:"version"`
			Size     uint64 `json:"size"`
			Stored   uint64 `json:"stored_size"`
			Cksum    uint32 `json:"cksum"`
			Verified bool   `json:"verified"`
			Sealed   bool   `json:"sealed"`
			Kind     string `json:"kind"`
		}{result.Name, result.Version, result.Size, result.Stored, result.Cksum, true, backup.IsSealed(result.Format), kind(result.Format)})
	}
	_, err = fmt.Fprintf(a.stdout, "backed up %s as %s, version %d: %s, cksum %d, verified\n",
		c.Path, result.Name, result.Version, humanize.IBytes(result.Size), result.Cksum)
	return err
}

func (c *backupCommand) source(a *app) (backup.Source, error) {
	if c.Path != "-" {
		return backup.Path(c.Path)
	}
	if c.Name == "" {
		return backup.Source{}, fmt.Errorf("%w: standard input needs a --name", program.ErrUsage)
	}
	return backup.Stream(interruptible(a.ctx, a.stdin)), nil
}

// interruptible reads r until ctx ends. A read that hangs in the system then
// stays behind until the process ends: nothing can call it back.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	context.AfterFunc(ctx, func() { pr.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(pw, onlyReader{r}, make([]byte, 256<<10))
		pw.CloseWithError(err)
	}()
	return pr
}

// onlyReader hides WriteTo, which would choose its own buffer.
type onlyReader struct{ io.Reader }
