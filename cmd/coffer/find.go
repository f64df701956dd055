package main

import (
	"errors"
	"fmt"
	"time"

	"coffer/internal/program"
	"coffer/snapshot"
	"coffer/snapshot/scan"
	"coffer/snapshot/view"
)

type findCommand struct {
	Pattern string `arg:"" help:"Pattern to look for, such as '*.pdf'. A pattern with a slash is compared with the path."`
	In      string `placeholder:"NAME" help:"Backup to search, as NAME, NAME@VERSION or NAME@DATE (default: the newest snapshot of each)."`
	All     bool   `help:"Search all versions."`
	Newer   string `placeholder:"DATE" help:"Find only what was modified on this date or later."`
	Older   string `placeholder:"DATE" help:"Find only what was modified before this date."`
	Ignore  bool   `short:"i" name:"ignore-case" help:"Ignore case."`
	Long    bool   `short:"l" help:"Also show mode, owner, size and time."`
	olderFlag
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
	snaps.trust.AcceptOlder = c.AcceptOlder
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
		t := target{text: fmt.Sprintf("%s@%d", l.Label, l.Version), name: l.Label}
		if all {
			t.version = l.Version
		}
		snap, err := s.open(a.ctx, t)
		if err != nil {
			return fmt.Errorf("read %s: %w", t.text, err)
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
