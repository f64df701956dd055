package main

import (
	"fmt"
	"path"

	"github.com/dustin/go-humanize"

	"coffer/backup"
)

type restoreCommand struct {
	Name    string `arg:"" help:"What it is called on the server."`
	Output  string `short:"o" placeholder:"PATH" help:"Where it goes; - is standard output (default: its name, here)."`
	Version uint32 `help:"Which version (default: the newest)."`
	Force   bool   `help:"Replace what is there."`
}

func (c *restoreCommand) Run(a *app) error {
	session, id, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	bar := a.progress()
	opts := backup.RestoreOptions{Identity: id, Path: c.Output, Force: c.Force, Progress: bar.show}
	if opts.Path == "" {
		opts.Path = path.Base(c.Name)
	}
	if c.Output == "-" {
		opts.Writer = a.stdout
	}
	info, err := backup.Restore(a.ctx, session, c.Name, c.Version, opts)
	bar.clear()
	if err != nil {
		return fmt.Errorf("restore %s: %w", c.Name, err)
	}
	if c.Output == "-" {
		return nil // standard output is the file's
	}
	if a.json {
		return a.printJSON(struct {
			listed
			Path string `json:"path"`
		}{describe(info.FileEntry), opts.Path})
	}
	_, err = fmt.Fprintf(a.stdout, "restored %s, version %d, to %s: %s, cksum %d, verified\n",
		info.Name, info.Version, opts.Path, humanize.IBytes(info.OriginalSize), info.Cksum)
	return err
}
