package main

import (
	"fmt"
	"strings"

	"coffer/internal/program"
	"coffer/snapshot/view"
)

type diffCommand struct {
	Old  string `arg:"" help:"Older snapshot, as NAME, NAME@VERSION or NAME@DATE, with :PATH for one file or folder in it."`
	New  string `arg:"" optional:"" help:"Snapshot to compare with (default: the newest of that name)."`
	Stat bool   `help:"Show only how much differs."`
	olderFlag
}

// diffJSON is a difference as JSON.
type diffJSON struct {
	Path   string     `json:"path"`
	Change string     `json:"change"` // "added", "removed", "changed", "attributes"
	Old    *entryJSON `json:"old,omitempty"`
	New    *entryJSON `json:"new,omitempty"`
}

// diffStat counts differences.
type diffStat struct {
	Added      uint64 `json:"added"`
	Removed    uint64 `json:"removed"`
	Changed    uint64 `json:"changed"`
	Attributes uint64 `json:"attributes"`
	SizeAdded  uint64 `json:"size_added"`
	SizeGone   uint64 `json:"size_removed"`
}

func (c *diffCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	old, err := parseTarget(c.Old)
	if err != nil {
		return err
	}
	newer := target{text: old.name, name: old.name, path: old.path}
	if c.New != "" {
		if newer, err = parseTarget(c.New); err != nil {
			return err
		}
	}
	return a.withTarget(c.Old, c.olderFlag, func(u *user, snaps *snapshots, _ target) error {
		was, wasEntry, err := snaps.find(a.ctx, old)
		if err != nil {
			return err
		}
		is, isEntry, err := snaps.find(a.ctx, newer)
		if err != nil {
			return err
		}
		var stat diffStat
		each := func(print func(any) error) error {
			return view.Diff(a.ctx, was, is, wasEntry, isEntry, func(d view.Change) error {
				j := describeChange(d, &stat)
				if c.Stat {
					return nil
				}
				return print(j)
			})
		}
		switch {
		case a.json && !c.Stat:
			return a.printArray(each)
		case !c.Stat:
			if err := each(func(v any) error { return v.(diffJSON).print(a) }); err != nil {
				return err
			}
		default:
			if err := each(nil); err != nil {
				return err
			}
		}
		if a.json {
			return a.printJSON(stat)
		}
		_, err = fmt.Fprintf(a.stdout, "%d added (%s), %d removed (%s), %d changed, %d with other attributes\n",
			stat.Added, program.Size(stat.SizeAdded), stat.Removed, program.Size(stat.SizeGone), stat.Changed, stat.Attributes)
		return err
	})
}

func describeChange(d view.Change, stat *diffStat) diffJSON {
	j := diffJSON{Path: d.Path}
	if d.Old != nil {
		e := describeEntry(d.Path, d.Old)
		j.Old = &e
	}
	if d.New != nil {
		e := describeEntry(d.Path, d.New)
		j.New = &e
	}
	switch {
	case d.Old == nil:
		j.Change = "added"
		stat.Added++
		stat.SizeAdded += d.New.Size
	case d.New == nil:
		j.Change = "removed"
		stat.Removed++
		stat.SizeGone += d.Old.Size
	case d.Content:
		j.Change = "changed"
		stat.Changed++
		stat.SizeAdded += d.New.Size - min(d.New.Size, d.Old.Size)
		stat.SizeGone += d.Old.Size - min(d.New.Size, d.Old.Size)
	default:
		j.Change = "attributes"
		stat.Attributes++
	}
	return j
}

func (j diffJSON) print(a *app) error {
	sign := map[string]string{"added": "+", "removed": "-", "changed": "M", "attributes": "A"}[j.Change]
	path := j.Path
	if path == "" {
		path = "."
	}
	if e := j.New; e != nil && e.Type == "dir" || j.New == nil && j.Old.Type == "dir" {
		path = strings.TrimSuffix(path, "/") + "/"
	}
	_, err := fmt.Fprintf(a.stdout, "%s %s\n", sign, program.Printable(path))
	return err
}
