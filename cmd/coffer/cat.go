package main

import (
	"fmt"

	"coffer/snapshot"
)

type catCommand struct {
	Target string `arg:"" help:"NAME:PATH, NAME@VERSION:PATH or NAME@DATE:PATH; without a path, what was backed up from standard input or as one file."`
	olderFlag
}

func (c *catCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	return a.withTarget(c.Target, c.olderFlag, func(u *user, snaps *snapshots, t target) error {
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
