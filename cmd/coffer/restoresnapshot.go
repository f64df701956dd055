package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"coffer/backup"
	"coffer/internal/program"
	"coffer/snapshot"
	"coffer/snapshot/scan"
	"coffer/snapshot/view"
)

// snapshotFlags say how a snapshot is restored.
type snapshotFlags struct {
	Include   []string `sep:"none" placeholder:"PATTERN" help:"Snapshots only: restore only what matches, with its content. Repeatable."`
	Exclude   []string `sep:"none" placeholder:"PATTERN" help:"Snapshots only: leave out what matches. Repeatable."`
	Overwrite string   `placeholder:"HOW" help:"Snapshots only: restore into existing folders, and replace existing files always, if-changed (size or time differ), if-newer (the backup is newer) or never."`
	DryRun    bool     `short:"n" help:"Snapshots only: report what would be restored; change nothing."`
	NoXattrs  bool     `help:"Snapshots only: do not restore extended attributes and access control lists."`
	KeepGoing bool     `help:"Snapshots only: leave out what is damaged or cannot be written, and restore the rest."`
	Verbose   bool     `short:"v" help:"Snapshots only: list everything that is restored, replaced or deleted."`
	Archive   bool     `help:"Restore the archive of this name, if it has snapshots as well."`
}

func (f *snapshotFlags) any() bool {
	return len(f.Include)+len(f.Exclude) > 0 || f.Overwrite != "" || f.DryRun || f.NoXattrs || f.KeepGoing || f.Verbose
}

// overwrite is the way that a flag names; ok is false if there is no such.
func overwrite(how string) (view.Overwrite, bool) {
	switch how {
	case "", "always":
		return view.Always, true
	case "if-changed":
		return view.IfChanged, true
	case "if-newer":
		return view.IfNewer, true
	case "never":
		return view.Never, true
	}
	return 0, false
}

// wanted makes a function of the patterns.
func (f *snapshotFlags) wanted() (func(string, *snapshot.Entry) bool, error) {
	include, err := patterns(f.Include)
	if err != nil {
		return nil, err
	}
	exclude, err := patterns(f.Exclude)
	if err != nil || len(include)+len(exclude) == 0 {
		return nil, err
	}
	return func(full string, e *snapshot.Entry) bool {
		folder := e.Type == snapshot.Dir
		return !anyMatches(exclude, full, folder) && (len(include) == 0 || anyMatches(include, full, folder))
	}, nil
}

func patterns(texts []string) (list []scan.Pattern, err error) {
	for _, text := range texts {
		p, err := scan.NewPattern(text, false)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", program.ErrUsage, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// anyMatches reports whether a pattern fits a path, or a folder that it is in.
func anyMatches(list []scan.Pattern, full string, folder bool) bool {
	for ; full != "." && full != "/"; full, folder = path.Dir(full), true {
		for _, p := range list {
			if p.Match(full, folder) {
				return true
			}
		}
	}
	return false
}

// snapshotTarget is what the command names if that is a snapshot.
func (c *restoreCommand) snapshotTarget(a *app, u *user) (*snapshots, target, bool, error) {
	if c.Archive || c.FromExport != "" {
		return nil, target{}, false, nil
	}
	snaps, t, ok, err := a.asSnapshot(u, c.Name, c.Version, c.trust(u.memory))
	if err == nil && !ok && c.snapshotFlags.any() {
		err = fmt.Errorf("%w: no snapshot is named %q, and the flags given are for snapshots alone", program.ErrUsage, t.name)
	}
	return snaps, t, ok, err
}

// asSnapshot is what a text names if that is a snapshot on the server, in the
// version that a flag may say as well. It fails if there was one of that name.
func (a *app) asSnapshot(u *user, text string, version uint32, trust backup.Trust) (*snapshots, target, bool, error) {
	t, err := parseTarget(text)
	if err != nil {
		return nil, t, false, nil // the name of something else
	}
	if version > 0 {
		if t.version > 0 && t.version != version || !t.until.IsZero() {
			return nil, t, false, fmt.Errorf("%w: %q and --version %d name two versions", program.ErrUsage, text, version)
		}
		t.version = version
	}
	snaps, err := u.snapshots(0)
	if err != nil {
		return nil, t, false, err
	}
	snaps.trust = trust
	ok, err := snaps.has(a.ctx, t.name)
	if err == nil && !ok {
		err = snaps.checkMissing(a.ctx, t)
	}
	return snaps, t, ok, err
}

// restoredJSON is what was restored of a snapshot, as JSON.
type restoredJSON struct {
	Name    string `json:"name"`
	Version uint32 `json:"version"`
	Kind    string `json:"kind"`             // "snapshot"
	Source  string `json:"source,omitempty"` // path in the snapshot, if it was not all of it
	Path    string `json:"path"`
	Files   uint64 `json:"files"`
	Size    uint64 `json:"size"`
	Kept    uint64 `json:"kept"`
	Deleted uint64 `json:"deleted"`
	Fetched uint64 `json:"fetched"`
	Failed  uint64 `json:"failed"`
	Lost    uint64 `json:"lost"` // attributes of which could not be restored for lack of rights
	DryRun  bool   `json:"dry_run,omitempty"`
}

// snapshot restores a snapshot, or something in one.
func (c *restoreCommand) snapshot(a *app, u *user, snaps *snapshots, t target) error {
	snap, e, err := snaps.find(a.ctx, t)
	if err != nil {
		return err
	}
	if err := snaps.remember(a, t, snap); err != nil {
		return err
	}
	if err := a.sayNewerArchive(u, t, snap.End); err != nil {
		return err
	}
	if c.Output == "-" {
		if err := a.needOutput(); err != nil {
			return err
		}
		if e.Type != snapshot.File {
			return fmt.Errorf("%s is %w", t.text, backup.ErrIsFolder)
		}
		return snap.Content(a.ctx, e, a.stdout)
	}
	to := c.Output
	if to == "" {
		to = path.Base(t.name)
		if t.path != "" {
			to = path.Base(t.path)
		}
		if backup.CheckLocalName(to) != nil {
			return fmt.Errorf("%w: %q is not a valid file name here: choose a destination with -o", program.ErrUsage, to)
		}
	}
	root, entry, err := c.destination(to, e)
	if err != nil {
		return err
	}
	if root != nil {
		defer root.Close()
	}
	opts, err := c.options(a)
	if err != nil {
		return err
	}
	bar := program.NewBar(a.stderr, a.quiet)
	opts.Progress = func(done, total uint64) { bar.Show(backup.Receiving, int64(done), int64(total)) }
	c.sayWhat(a, bar, &opts)
	var restored view.Restored
	if root == nil { // of a dry run, into a folder that is not there
		restored = view.Restored{Files: snap.Totals.Files, Bytes: snap.Totals.Bytes}
	} else {
		restored, err = snap.Restore(a.ctx, entry, root, opts)
	}
	bar.Clear()
	if err != nil {
		return fmt.Errorf("restore %s: %w", t.text, err)
	}
	return c.sayRestored(a, snap, t, to, restored)
}

// asked is the version that a target names, 0 for the newest.
func asked(t target) uint32 {
	if t.version == 0 && !t.until.IsZero() {
		return ^uint32(0) // one of a date may be older than the newest
	}
	return t.version
}

// destination opens the folder that something is restored into: the folder
// itself, or the one that a file lies in, with the file's name there.
func (c *restoreCommand) destination(to string, e *snapshot.Entry) (*os.Root, *snapshot.Entry, error) {
	replaces := c.Force || c.Overwrite != "" || c.DryRun
	info, err := os.Lstat(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	there := err == nil
	if e.Type != snapshot.Dir {
		if there && info.IsDir() {
			return nil, nil, fmt.Errorf("%s is a folder, but the backup is a file: name a new file in it", to)
		}
		if there && !replaces {
			return nil, nil, fmt.Errorf("%s: %w", to, backup.ErrExists)
		}
		root, err := os.OpenRoot(filepath.Dir(filepath.Clean(to)))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s is in a folder that does not exist: make it first", to)
		}
		named := *e
		named.Name = filepath.Base(filepath.Clean(to))
		return root, &named, err
	}
	if there && !info.IsDir() {
		return nil, nil, fmt.Errorf("%s: %w, and is not a folder", to, backup.ErrExists)
	}
	if there && !replaces {
		names, err := os.ReadDir(to)
		if err != nil {
			return nil, nil, err
		}
		if len(names) > 0 {
			return nil, nil, fmt.Errorf("%s: %w", to, backup.ErrFolderExists)
		}
	}
	if !there {
		if c.DryRun {
			return nil, e, nil
		}
		if err := os.Mkdir(to, 0o700); err != nil {
			return nil, nil, err
		}
	}
	root, err := os.OpenRoot(to)
	return root, e, err
}

func (c *restoreCommand) options(a *app) (view.RestoreOptions, error) {
	wanted, err := c.wanted()
	if err != nil {
		return view.RestoreOptions{}, err
	}
	how, _ := overwrite(c.Overwrite)
	return view.RestoreOptions{
		Overwrite: how, Delete: c.Delete, DryRun: c.DryRun, NoXattrs: c.NoXattrs, KeepGoing: c.KeepGoing, Trust: c.Trust, Wanted: wanted,
	}, nil
}

// sayWhat has what happens to files printed.
func (c *restoreCommand) sayWhat(a *app, bar *program.Bar, opts *view.RestoreOptions) {
	opts.Failed = func(path string, err error) {
		bar.Clear()
		fmt.Fprintf(a.stderr, "coffer: left out %s: %s\n", quoted(path), program.Printable(err.Error()))
	}
	said := map[string]bool{}
	opts.Lost = func(kind, path string, err error) {
		if said[kind] {
			return
		}
		said[kind] = true
		bar.Clear()
		fmt.Fprintf(a.stderr, "coffer: not restored: %s (first at %s: %s)\n", kind, quoted(path), program.Printable(scan.Reason(err)))
	}
	if !c.Verbose && !c.DryRun {
		return
	}
	out := a.stdout
	if a.json {
		out = a.stderr
	}
	words := map[view.Did]string{view.Made: "restored", view.Replaced: "replaced", view.Deleted: "deleted"}
	opts.Done = func(path string, _ *snapshot.Entry, how view.Did) {
		if word := words[how]; word != "" {
			bar.Clear()
			fmt.Fprintf(out, "%-9s %s\n", word, quoted(path))
		}
	}
}

func (c *restoreCommand) sayRestored(a *app, snap *view.Snapshot, t target, to string, r view.Restored) error {
	var err error
	if a.json {
		err = a.printJSON(restoredJSON{snap.Label, snap.Number, "snapshot", t.path, to, r.Files, r.Bytes, r.Kept, r.Deleted, r.Fetched, r.Failed, r.Lost, c.DryRun})
	} else {
		done := "restored"
		if c.DryRun {
			done = "would restore"
		}
		what := snap.Label
		if t.path != "" {
			what += ":" + t.path
		}
		var more []string
		if r.Kept > 0 {
			more = append(more, fmt.Sprintf("%d kept", r.Kept))
		}
		if r.Deleted > 0 {
			more = append(more, fmt.Sprintf("%d deleted", r.Deleted))
		}
		text := strings.Join(append([]string{program.Count(r.Files, "file", "files"), program.Size(r.Bytes)}, more...), ", ")
		_, err = fmt.Fprintf(a.stdout, "%s %s, version %d, to %s: %s\n", done, program.Printable(what), snap.Number, program.Printable(to), text)
	}
	switch {
	case err != nil:
		return err
	case r.Failed > 0:
		return incomplete(fmt.Sprintf("%s left out; everything else is restored", program.Count(r.Failed, "entry was", "entries were")))
	case r.Withheld > 0 && r.Withheld == r.Lost:
		return incomplete(fmt.Sprintf("%s restored with fewer rights than before (--trust restores them fully)", program.Count(r.Lost, "entry was", "entries were")))
	case r.Lost > 0:
		return incomplete(fmt.Sprintf("%s restored without everything they had; only root may restore owners and devices", program.Count(r.Lost, "attribute was not restored, so entries are", "attributes were not restored, so entries are")))
	}
	return nil
}
