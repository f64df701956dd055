package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"coffer/internal/fileattr"
	"coffer/internal/program"
	"coffer/snapshot"
	"coffer/snapshot/scan"
	"coffer/snapshot/view"
)

type lsCommand struct {
	Target    string `arg:"" optional:"" help:"Older snapshot, as NAME, NAME@VERSION or NAME@DATE, with :PATH for one file or folder in it."`
	Long      bool   `short:"l" help:"Also show mode, owner, size and time."`
	Recursive bool   `short:"R" help:"List subfolders recursively."`
}

// entryJSON is something in a snapshot as JSON.
type entryJSON struct {
	Path     string     `json:"path"`
	PathB64  []byte     `json:"path_base64,omitempty"` // if the path is not valid UTF-8
	Type     string     `json:"type"`
	Size     uint64     `json:"size"`
	Mode     string     `json:"mode,omitempty"` // in octal
	UID      *uint32    `json:"uid,omitempty"`
	GID      *uint32    `json:"gid,omitempty"`
	User     string     `json:"user,omitempty"`
	Group    string     `json:"group,omitempty"`
	Modified *time.Time `json:"modified,omitempty"`
	Target   string     `json:"target,omitempty"`
	Changed  bool       `json:"changed_while_read,omitempty"`
	Error    string     `json:"error,omitempty"`
	Version  uint32     `json:"version,omitempty"` // where a command looks into several
	Name     string     `json:"name,omitempty"`
}

func describeEntry(path string, e *snapshot.Entry) entryJSON {
	j := entryJSON{Path: path, Type: e.Type.String(), Size: e.Size, User: e.User, Group: e.Group, Target: e.Target, Changed: e.Changed, Error: e.Error}
	if !utf8.ValidString(path) {
		j.PathB64 = []byte(path)
	}
	if !e.NoMode {
		j.Mode, j.UID, j.GID = fmt.Sprintf("%04o", e.Mode), &e.UID, &e.GID
	}
	if t := e.MTime.Time(); e.MTime.Known && t.Year() > 0 && t.Year() < 10_000 {
		j.Modified = &t
	}
	return j
}

func (c *lsCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	if c.Target == "" {
		if c.Long || c.Recursive {
			return fmt.Errorf("%w: ls -l and ls -R need a snapshot", program.ErrUsage)
		}
		return (&listCommand{}).Run(a)
	}
	return a.withTarget(c.Target, func(u *user, snaps *snapshots, t target) error {
		snap, e, err := snaps.find(a.ctx, t)
		if err != nil {
			return err
		}
		out := newEntries(a, c.Long)
		if e.Type != snapshot.Dir {
			err = out.add(t.path, e)
		} else {
			err = c.dir(a.ctx, snap, "", e, out)
		}
		return errors.Join(err, out.end())
	})
}

func (c *lsCommand) dir(ctx context.Context, snap *view.Snapshot, path string, e *snapshot.Entry, out *entries) error {
	return snap.Dir(ctx, e, nil, func(inner *snapshot.Entry) error {
		below := view.Join(path, inner.Name)
		if err := out.add(below, inner); err != nil {
			return err
		}
		if c.Recursive && inner.Type == snapshot.Dir {
			return c.dir(ctx, snap, below, inner, out)
		}
		return nil
	})
}

// withTarget opens the account for a command about a target.
func (a *app) withTarget(text string, f func(*user, *snapshots, target) error) error {
	t, err := parseTarget(text)
	if err != nil {
		return err
	}
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	return f(u, snaps, t)
}

// entries prints what is in snapshots, as it comes.
type entries struct {
	a         *app
	long      bool
	table     *tabwriter.Writer
	separator string
	rows      int
}

func newEntries(a *app, long bool) *entries {
	return &entries{a: a, long: long, table: tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0), separator: "[\n  "}
}

// flushRows is after how many rows a table is printed, so that its widths are
// those of that many.
const flushRows = 1000

func (e *entries) add(path string, entry *snapshot.Entry) error {
	return e.row(describeEntry(path, entry), entry, "")
}

// row prints an entry; prefix comes before its path.
func (e *entries) row(j entryJSON, entry *snapshot.Entry, prefix string) error {
	if e.a.json {
		text, err := marshal(j, "  ")
		if err == nil {
			_, err = fmt.Fprintf(e.a.stdout, "%s%s", e.separator, text)
		}
		e.separator = ",\n  "
		return err
	}
	name := program.Printable(j.Path)
	if !e.long {
		if entry.Type == snapshot.Dir {
			name += "/"
		}
		_, err := fmt.Fprintln(e.a.stdout, prefix+name)
		return err
	}
	if entry.Type == snapshot.Symlink {
		name += " -> " + program.Printable(entry.Target)
	}
	owner, group := entry.User, entry.Group
	if owner == "" {
		owner = fmt.Sprint(entry.UID)
	}
	if group == "" {
		group = fmt.Sprint(entry.GID)
	}
	mode := modeText(entry)
	if entry.NoMode {
		owner, group = "-", "-"
	}
	when := "-"
	if entry.MTime.Known {
		when = entry.MTime.Time().Local().Format(time.DateTime)
	}
	_, err := fmt.Fprintf(e.table, "%s\t%s\t%s\t%d\t%s\t%s%s\n", mode, program.Printable(owner), program.Printable(group), entry.Size, when, prefix, name)
	if e.rows++; err == nil && e.rows%flushRows == 0 {
		err = e.table.Flush()
	}
	return err
}

func (e *entries) end() error {
	if !e.a.json {
		return e.table.Flush()
	}
	end := "\n]\n"
	if e.separator[0] == '[' {
		end = "[]\n"
	}
	_, err := fmt.Fprint(e.a.stdout, end)
	return err
}

func modeText(e *snapshot.Entry) string {
	kind := map[snapshot.Type]string{snapshot.Dir: "d", snapshot.Symlink: "l", snapshot.FIFO: "p", snapshot.Socket: "s", snapshot.Char: "c", snapshot.Block: "b"}[e.Type]
	if kind == "" {
		kind = "-"
	}
	if e.NoMode {
		return kind + "?????????"
	}
	return kind + fileattr.FileMode(e.Mode & 0o777).String()[1:]
}

type findCommand struct {
	Pattern string `arg:"" help:"Pattern to look for, such as '*.pdf'. A pattern with a slash is compared with the path."`
	In      string `placeholder:"NAME" help:"Backup to search, as NAME, NAME@VERSION or NAME@DATE (default: the newest snapshot of each)."`
	All     bool   `help:"Search all versions."`
	Newer   string `placeholder:"DATE" help:"Find only what was modified on this date or later."`
	Older   string `placeholder:"DATE" help:"Find only what was modified before this date."`
	Ignore  bool   `short:"i" name:"ignore-case" help:"Ignore case."`
	Long    bool   `short:"l" help:"Also show mode, owner, size and time."`
}

func (c *findCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	pattern, err := scan.NewPattern(c.Pattern, c.Ignore)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	newer, err := parseDate(c.Newer)
	if err != nil {
		return err
	}
	older, err := parseDate(c.Older)
	if err != nil {
		return err
	}
	fits := view.Within(newer, older)
	var in target
	if c.In != "" {
		if in, err = parseTarget(c.In); err != nil {
			return err
		}
		if c.All && (in.version > 0 || !in.until.IsZero()) {
			return fmt.Errorf("%w: --all searches every version: do not name one", program.ErrUsage)
		}
	}
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	out := newEntries(a, c.Long)
	err = snaps.each(a, in, c.All, func(snap *view.Snapshot) error {
		return snap.Walk(a.ctx, "", &snap.Root, nil, func(path string, e *snapshot.Entry) error {
			if path == "" || !fits(e) || !pattern.Match(path, e.Type == snapshot.Dir) {
				return nil
			}
			j := describeEntry(path, e)
			j.Name, j.Version = snap.Label, snap.Number
			return out.row(j, e, fmt.Sprintf("%s@%d:", program.Printable(snap.Label), snap.Number))
		})
	})
	return errors.Join(err, out.end())
}

// each opens snapshots: one, or those of a list.
func (s *snapshots) each(a *app, in target, all bool, f func(*view.Snapshot) error) error {
	if in.name != "" && !all {
		snap, err := s.open(a.ctx, in)
		if err != nil {
			return aboutTarget(in, err)
		}
		return f(snap)
	}
	found := false
	var list []view.Summary
	err := view.List(a.ctx, s.repo, s.forReading(), in.name, all, func(l view.Summary, bad error) error {
		if bad != nil {
			fmt.Fprintf(a.stderr, "coffer: a snapshot is not this account's: %s\n", program.Printable(bad.Error()))
			return nil
		}
		list = append(list, l)
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range list {
		found = true
		snap, err := view.Open(a.ctx, s.repo, s.forReading(), l.Label, l.Version)
		if err != nil {
			return fmt.Errorf("read %s@%d: %w", l.Label, l.Version, err)
		}
		if err := f(snap); err != nil {
			return err
		}
	}
	if !found && in.name != "" {
		return noBackup(in.name, 0)
	}
	return nil
}

// parseDate reads a date, or a date and time; "" is none.
func parseDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %q is not a date such as 2026-11-28 or 2026-11-28T15:04", program.ErrUsage, text)
}

type catCommand struct {
	Target string `arg:"" help:"NAME:PATH, NAME@VERSION:PATH or NAME@DATE:PATH; without a path, what was backed up from standard input or as one file."`
}

func (c *catCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	return a.withTarget(c.Target, func(u *user, snaps *snapshots, t target) error {
		snap, e, err := snaps.find(a.ctx, t)
		if err != nil {
			return err
		}
		if e.Type != snapshot.File {
			return fmt.Errorf("%s is not a file (coffer ls lists the content of a folder)", t.text)
		}
		if err := snap.Content(a.ctx, e, a.stdout); err != nil {
			return fmt.Errorf("read %s: %w", t.text, err)
		}
		return nil
	})
}

type diffCommand struct {
	Old  string `arg:"" help:"Older snapshot, as NAME, NAME@VERSION or NAME@DATE, with :PATH for one file or folder in it."`
	New  string `arg:"" optional:"" help:"Snapshot to compare with (default: the newest of that name)."`
	Stat bool   `help:"Show only how much differs."`
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
	return a.withTarget(c.Old, func(u *user, snaps *snapshots, _ target) error {
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
