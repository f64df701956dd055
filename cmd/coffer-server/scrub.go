package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"coffer/internal/program"
	"coffer/internal/quantity"
	"coffer/maintain"
)

// scrubCmd reads back all that is stored and compares it with what came in.
type scrubCmd struct {
	dataFlags
	program.LogFlags `envprefix:"COFFER_SERVER_"`

	Rate    quantity.Bytes `help:"Maximum bytes to read per second; 0 is no limit." default:"0"`
	Collect bool           `help:"Remove blobs that no file uses."`
	JSON    bool           `name:"json" help:"Print JSON: one line per finding and one with the totals."`
	Quiet   bool           `help:"Do not show progress."`
}

// Run scrubs. What is damaged or missing makes it fail.
func (cmd *scrubCmd) Run(ctx context.Context, std program.Streams) error {
	d, err := cmd.open(ctx, cmd.Logger(std))
	if err != nil {
		return err
	}
	bar := program.NewBar(std.Err, cmd.Quiet)
	opts := maintain.ScrubOptions{Limit: maintain.NewReadLimit(int(cmd.Rate)), Collect: cmd.Collect,
		Progress: func(done, total int64) { bar.Show("reading back", done, total) }}
	done, err := maintain.Scrub(ctx, d.catalog, d.blobs, opts, func(f maintain.Finding) error {
		bar.Clear()
		return cmd.printFinding(std.Out, f)
	})
	bar.Clear()
	if err := errors.Join(err, d.close()); err != nil {
		return err
	}
	if err := cmd.printCounts(std.Out, done); err != nil {
		return err
	}
	if !done.Sound() {
		return fmt.Errorf("%s damaged, %d missing; their owners can back them up again", program.Count(done.Damaged, "file version", "file versions"), done.Missing)
	}
	return nil
}

func (cmd *scrubCmd) printFinding(w io.Writer, f maintain.Finding) error {
	if cmd.JSON {
		return program.NewJSON(w).Encode(map[string]any{"fault": f.Fault, "client": f.Client.Name, "file": f.Name,
			"version": f.Number, "size": f.Size, "blob": f.Blob, "detail": f.Detail})
	}
	owner := f.Client.Name
	if owner == "" {
		owner = "an unknown client"
	}
	what := fmt.Sprintf("%q", f.Name)
	switch {
	case f.Name == "":
		what = "a pack"
	case f.Number > 0:
		what = fmt.Sprintf("%q, version %d,", f.Name, f.Number)
	}
	_, err := fmt.Fprintf(w, "%s: %s of %s, %s: %s (%s)\n", f.Fault, what, owner, program.Size(uint64(f.Size)), f.Detail, f.Blob)
	return err
}

func (cmd *scrubCmd) printCounts(w io.Writer, done maintain.Scrubbed) error {
	if cmd.JSON {
		return program.NewJSON(w).Encode(map[string]any{"versions": done.Versions, "bytes": done.Bytes, "missing": done.Missing,
			"damaged": done.Damaged, "orphans": done.Orphans, "freed": done.Freed})
	}
	_, err := fmt.Fprintf(w, "read back %s, %s: %d damaged, %d missing; %s\n", program.Count(done.Versions, "file version", "file versions"),
		program.Size(uint64(done.Bytes)), done.Damaged, done.Missing, program.Count(done.Orphans, "orphan", "orphans"))
	if err == nil && done.Freed > 0 {
		_, err = fmt.Fprintf(w, "removed the orphans: %s\n", program.Size(uint64(done.Freed)))
	}
	return err
}
