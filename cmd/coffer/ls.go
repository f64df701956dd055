package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"coffer/internal/fileattr"
	"coffer/internal/program"
	"coffer/snapshot"
	"coffer/snapshot/view"
)

type lsCommand struct {
	Target    string `arg:"" optional:"" help:"Snapshot, as NAME, NAME@VERSION or NAME@DATE, with :PATH for one file or folder in it."`
	Long      bool   `short:"l" help:"Also show mode, owner, size and time."`
	Recursive bool   `short:"R" help:"List subfolders recursively."`
	olderFlag
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
	return a.withTarget(c.Target, c.olderFlag, func(u *user, snaps *snapshots, t target) error {
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
func (a *app) withTarget(text string, older olderFlag, f func(*user, *snapshots, target) error) error {
	t, err := parseTarget(text)
	if err != nil {
		return err
	}
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	snaps.trust.AcceptOlder = older.AcceptOlder
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
