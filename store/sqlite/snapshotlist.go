package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"coffer/store"
	"coffer/store/packset"
)

// ofSnapshot calls f with a snapshot, the newest if number is 0; ErrNoFile if
// there is none.
func (c *Catalog) ofSnapshot(ctx context.Context, client store.ClientID, name string, number uint32, f func(packReader, owner, snapshot) error) error {
	return c.readPacks(ctx, func(r packReader) error {
		o, there, err := r.owner(client)
		if err == nil && !there {
			err = store.ErrNoFile
		}
		if err != nil {
			return err
		}
		s, err := r.snapshot(o, name, number)
		if err != nil {
			return err
		}
		return f(r, o, s)
	})
}

// Snapshot finds a snapshot, the newest if number is 0.
func (c *Catalog) Snapshot(ctx context.Context, client store.ClientID, name string, number uint32) (found store.Snapshot, err error) {
	err = c.ofSnapshot(ctx, client, name, number, func(r packReader, o owner, s snapshot) error {
		shown, err := c.show(r, o, s)
		if err == nil {
			found = shown[0]
		}
		return err
	})
	if err != nil {
		return store.Snapshot{}, fmt.Errorf("find a snapshot: %w", err)
	}
	return found, nil
}

// Committed returns the snapshot that a run has become.
func (c *Catalog) Committed(ctx context.Context, client store.ClientID, made store.RunID) (found store.Snapshot, err error) {
	there := false
	err = c.ofPacks(ctx, client, func(r packReader, o owner) error {
		s, err := r.find(o, r.q.snapshotOfRun, made[:])
		if err != nil {
			return err
		}
		shown, err := c.show(r, o, s)
		if err == nil {
			found, there = shown[0], true
		}
		return err
	})
	if err == nil && !there {
		err = store.ErrNoFile
	}
	if err != nil {
		return store.Snapshot{}, fmt.Errorf("find what a run has become: %w", err)
	}
	return found, nil
}

// show completes snapshots to what a list has of them: their versions, and how
// many of their packs are damaged.
func (c *Catalog) show(r packReader, o owner, list ...snapshot) ([]store.Snapshot, error) {
	_, lost, err := r.sets(o)
	if err != nil {
		return nil, err
	}
	damaged, err := r.damaged(o, lost)
	if err != nil {
		return nil, err
	}
	shown := make([]store.Snapshot, 0, len(list))
	for _, s := range list {
		there := false
		err := r.each(r.q.fileVersion, func(row scanner) (err error) {
			there = true
			s.Version, err = scanVersion(row)
			return err
		}, o.client[:], s.Name, int64(s.Number))
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, fmt.Errorf("%w: a snapshot without its version", store.ErrDamaged)
		}
		if damaged.Len() > 0 {
			s.Damaged = r.damagedOf(s, damaged)
		}
		shown = append(shown, s.Snapshot)
	}
	return shown, nil
}

// damagedOf counts which of a set a snapshot needs. One that cannot be read is
// for a sweep to report.
func (r packReader) damagedOf(s snapshot, damaged *packset.Set) int64 {
	packs, err := r.needs(s.row)
	if err != nil {
		return 0
	}
	packs.Intersect(damaged)
	return packs.Len()
}

// ListSnapshots returns a page of snapshots.
func (c *Catalog) ListSnapshots(ctx context.Context, client store.ClientID, q store.SnapshotQuery) (page []store.Snapshot, err error) {
	if q.Limit <= 0 {
		return nil, nil
	}
	err = c.ofPacks(ctx, client, func(r packReader, o owner) error {
		found, err := r.snapshotPage(o, q)
		if err != nil {
			return err
		}
		page, err = c.show(r, o, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return page, nil
}

func (r packReader) snapshotPage(o owner, q store.SnapshotQuery) ([]snapshot, error) {
	if q.Only != "" {
		return r.versionPage(o, q)
	}
	if !q.All {
		return r.snapshots(o, r.q.newestAfterName, q.After.Name, q.Limit)
	}
	page, err := r.snapshots(o, r.q.snapshotRest, q.After.Name, int64(q.After.Number), q.Limit)
	if err != nil || len(page) == q.Limit {
		return page, err
	}
	more, err := r.snapshots(o, r.q.snapshotsAfter, q.After.Name, q.Limit-len(page))
	return append(page, more...), err
}

// versionPage is the page of a query for one name.
func (r packReader) versionPage(o owner, q store.SnapshotQuery) ([]snapshot, error) {
	before := int64(1) << 32
	switch {
	case q.After.Name > q.Only, q.After.Name == q.Only && !q.All:
		return nil, nil
	case q.After.Name == q.Only:
		before = int64(q.After.Number)
	}
	if !q.All {
		q.Limit = 1
	}
	return r.snapshots(o, r.q.snapshotRest, q.Only, before, q.Limit)
}

// snapshots returns the snapshots that a query finds.
func (r packReader) snapshots(o owner, query *sql.Stmt, args ...any) (found []snapshot, err error) {
	err = r.each(query, func(row scanner) error {
		s, err := scanSnapshot(row, o.client)
		found = append(found, s)
		return err
	}, append([]any{o.number}, args...)...)
	return found, err
}

// SnapshotPacks returns packs that a snapshot needs.
func (c *Catalog) SnapshotPacks(ctx context.Context, client store.ClientID, name string, number, after uint32, limit int) (page []store.Pack, err error) {
	err = c.ofSnapshot(ctx, client, name, number, func(r packReader, o owner, s snapshot) error {
		packs, err := r.allNeeds(s)
		if err != nil {
			return err
		}
		var ordinals []uint32
		for ordinal := range packs.After(after) {
			if len(ordinals) >= limit {
				break
			}
			ordinals = append(ordinals, ordinal)
		}
		if page, err = r.byOrdinal(o, ordinals); err != nil {
			return err
		}
		for i, ordinal := range ordinals {
			page[i].Client, page[i].Ordinal = client, ordinal // of one that is lost, too
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list what a snapshot needs: %w", err)
	}
	return page, nil
}

// neededPage is how many snapshots NeededBy looks at in one transaction.
const neededPage = 500

// NeededBy visits the snapshots that need a pack. No transaction is open
// meanwhile.
func (c *Catalog) NeededBy(ctx context.Context, client store.ClientID, ordinal uint32, visit func(store.Snapshot) error) error {
	q := store.SnapshotQuery{All: true, Limit: neededPage}
	for more := true; more; {
		var found []store.Snapshot
		more = false
		err := c.ofPacks(ctx, client, func(r packReader, o owner) error {
			page, err := r.snapshotPage(o, q)
			for _, s := range page {
				q.After = store.Cursor{Name: s.Name, Number: s.Number}
				packs, err := r.allNeeds(s)
				if errors.Is(err, store.ErrDamaged) {
					continue // a sweep reports it
				}
				if err != nil {
					return err
				}
				if packs.Has(ordinal) {
					one := store.Snapshot{Head: s.Head}
					one.Client, one.Name, one.Number = client, s.Name, s.Number
					found = append(found, one)
				}
			}
			more = len(page) == neededPage
			return err
		})
		if err != nil {
			return fmt.Errorf("look for what needs a pack: %w", err)
		}
		for _, one := range found {
			if err := visit(one); err != nil {
				return err
			}
		}
		more = more && ctx.Err() == nil
	}
	return ctx.Err()
}
