package memstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"coffer/store"
	"coffer/store/packset"
)

// A snapshot is what a version has that is one.
type snapshot struct {
	meta  store.SnapshotMetadata
	mends []store.Mend
}

// needs are the packs of the snapshot, those of its mends not included.
func (s *snapshot) needs() (*packset.Set, error) { return packset.Decode(s.meta.Packs) }

// all are the packs of the snapshot and of its mends.
func (s *snapshot) all() (*packset.Set, error) {
	all, err := s.needs()
	if err != nil {
		return nil, err
	}
	for _, m := range s.mends {
		packs, err := packset.Decode(m.Metadata.Snapshot.Packs)
		if err != nil {
			return nil, err
		}
		all.Union(packs)
	}
	return all, nil
}

// keep notes what a version needs.
func (x *packIndex) keep(v store.Version) {
	s := &snapshot{meta: *cloneMetadata(v.Metadata).Snapshot}
	x.snapshots[store.Cursor{Name: v.Name, Number: v.Number}] = s
	if packs, err := s.needs(); err == nil {
		x.next = max(x.next, packs.Max()+1)
	}
}

// drop forgets what a version needed, and returns the blobs of its mends.
func (x *packIndex) drop(name string, number uint32) (blobs []store.BlobRef) {
	at := store.Cursor{Name: name, Number: number}
	if s := x.snapshots[at]; s != nil {
		for _, m := range s.mends {
			blobs = append(blobs, m.Blob)
		}
	}
	delete(x.snapshots, at)
	return blobs
}

// missing returns what of a set cannot be relied on; nil if all can.
func (x *packIndex) missing(packs *packset.Set) error {
	lost := new(store.MissingPacks)
	some := false
	for ordinal := range packs.After(0) {
		row := x.rows[ordinal]
		switch {
		case row != nil && row.State == store.PackWhole:
		case row != nil && len(lost.IDs) < maxMissing:
			lost.IDs = append(lost.IDs, row.ID)
			fallthrough
		default:
			some = true
		}
	}
	if !some {
		return nil
	}
	return lost
}

// maxMissing is how many missing packs are named at most.
const maxMissing = 2000

// CommitSnapshot adds a version and ends its run.
func (c *Catalog) CommitSnapshot(ctx context.Context, commit store.SnapshotCommit, keep store.Retention) (number uint32, dropped []store.BlobRef, err error) {
	v := commit.Version
	err = c.write(ctx, func(d *catalogData) error {
		one, err := d.of(v.Client)
		if err != nil {
			return err
		}
		x := &one.packs
		if at, there := x.madeBy(v.Snapshot.Run); there {
			number = at.Number
			if before := one.version(at); before.Blob != v.Blob {
				dropped = []store.BlobRef{v.Blob}
			}
			return nil
		}
		r := x.runs[v.Snapshot.Run]
		if r == nil || r.Name != v.Name {
			return store.ErrNoRun
		}
		if one.newest(v.Name) != commit.Before {
			return store.ErrConflict
		}
		packs, err := packset.Decode(v.Snapshot.Packs)
		if err != nil {
			return err
		}
		if err := x.missing(packs); err != nil {
			return err
		}
		v.Number = commit.Before + 1
		d.put(one, v)
		delete(x.runs, r.ID)
		number, dropped = v.Number, d.prune(one, v, keep)
		return nil
	})
	return number, dropped, err
}

// madeBy finds the snapshot that a run has become.
func (x *packIndex) madeBy(id store.RunID) (store.Cursor, bool) {
	for at, s := range x.snapshots {
		if s.meta.Run == id {
			return at, true
		}
	}
	return store.Cursor{}, false
}

// version finds a version, the zero one if there is none.
func (c *client) version(at store.Cursor) store.Version {
	for _, v := range c.files[at.Name] {
		if v.Number == at.Number {
			return v
		}
	}
	return store.Version{}
}

// show is a snapshot as a list has it.
func (c *client) show(at store.Cursor) store.Snapshot {
	s := c.packs.snapshots[at]
	shown := store.Snapshot{Version: cloneVersion(c.version(at)), Run: s.meta.Run, Head: bytes.Clone(s.meta.Head),
		PackBytes: s.meta.PackBytes, Mends: len(s.mends)}
	packs, err := s.needs()
	if err != nil {
		return shown // a sweep reports it
	}
	shown.Packs = packs.Len()
	for ordinal := range packs.After(0) {
		if row := c.packs.rows[ordinal]; row == nil || row.State != store.PackWhole {
			shown.Damaged++
		}
	}
	return shown
}

// Committed returns the snapshot that a run has become.
func (c *Catalog) Committed(ctx context.Context, id store.ClientID, made store.RunID) (found store.Snapshot, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		if one := d.clients[id]; one != nil {
			if at, there := one.packs.madeBy(made); there {
				found = one.show(at)
				return nil
			}
		}
		return store.ErrNoFile
	})
	return found, err
}

// Snapshot finds a snapshot, the newest if number is 0.
func (c *Catalog) Snapshot(ctx context.Context, id store.ClientID, name string, number uint32) (found store.Snapshot, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one, at, err := d.snapshot(id, name, number)
		if err == nil {
			found = one.show(at)
		}
		return err
	})
	return found, err
}

// snapshot finds a snapshot, the newest if number is 0.
func (d *catalogData) snapshot(id store.ClientID, name string, number uint32) (*client, store.Cursor, error) {
	at := store.Cursor{Name: name, Number: number}
	one := d.clients[id]
	if one == nil {
		return nil, at, store.ErrNoFile
	}
	if number == 0 {
		for other := range one.packs.snapshots {
			if other.Name == name {
				at.Number = max(at.Number, other.Number)
			}
		}
	}
	if one.packs.snapshots[at] == nil {
		return nil, at, store.ErrNoFile
	}
	return one, at, nil
}

// inOrder are the snapshots of a client, by name, then the newest first.
func (x *packIndex) inOrder() []store.Cursor {
	return slices.SortedFunc(maps.Keys(x.snapshots), func(a, b store.Cursor) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Number, a.Number))
	})
}

// ListSnapshots returns a page of snapshots.
func (c *Catalog) ListSnapshots(ctx context.Context, id store.ClientID, q store.SnapshotQuery) (page []store.Snapshot, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one := d.clients[id]
		if one == nil {
			return nil
		}
		name := ""
		for _, at := range one.packs.inOrder() {
			newest := name != at.Name
			name = at.Name
			follows := at.Name > q.After.Name || q.All && at.Name == q.After.Name && at.Number < q.After.Number
			if follows && (q.All || newest) && (q.Only == "" || q.Only == at.Name) && len(page) < q.Limit {
				page = append(page, one.show(at))
			}
		}
		return nil
	})
	return page, err
}

// SnapshotPacks returns packs that a snapshot needs.
func (c *Catalog) SnapshotPacks(ctx context.Context, id store.ClientID, name string, number, after uint32, limit int) (page []store.Pack, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one, at, err := d.snapshot(id, name, number)
		if err != nil {
			return err
		}
		packs, err := one.packs.snapshots[at].all()
		if err != nil {
			return err
		}
		for ordinal := range packs.After(after) {
			if len(page) >= limit {
				break
			}
			p := store.Pack{Client: id, Ordinal: ordinal}
			if row := one.packs.rows[ordinal]; row != nil {
				p = row.Pack
			}
			page = append(page, p)
		}
		return nil
	})
	return page, err
}

// NeededBy visits the snapshots that need a pack. Nothing is locked meanwhile.
func (c *Catalog) NeededBy(ctx context.Context, id store.ClientID, ordinal uint32, visit func(store.Snapshot) error) error {
	var found []store.Snapshot
	err := c.readPacks(ctx, id, func(x *packIndex) error {
		for _, at := range x.inOrder() {
			s := x.snapshots[at]
			packs, err := s.all()
			if err != nil || !packs.Has(ordinal) {
				continue
			}
			one := store.Snapshot{Head: bytes.Clone(s.meta.Head)}
			one.Client, one.Name, one.Number = id, at.Name, at.Number
			found = append(found, one)
		}
		return nil
	})
	for _, one := range found {
		if err := visit(one); err != nil {
			return err
		}
	}
	return err
}

// AddMend adds a mend record to a snapshot.
func (c *Catalog) AddMend(ctx context.Context, m store.Mend) (unused store.BlobRef, err error) {
	err = c.withRun(ctx, m.Metadata.Client, m.Metadata.Snapshot.Run, func(x *packIndex, _ *run) error {
		packs, err := packset.Decode(m.Metadata.Snapshot.Packs)
		if err != nil {
			return err
		}
		if err := x.missing(packs); err != nil {
			return err
		}
		return nil
	})
	if err == nil {
		unused, err = c.mend(ctx, m)
	}
	return unused, err
}

// RestoreMend is AddMend for rebuilding a catalog.
func (c *Catalog) RestoreMend(ctx context.Context, m store.Mend) error {
	_, err := c.mend(ctx, m)
	return err
}

func (c *Catalog) mend(ctx context.Context, m store.Mend) (unused store.BlobRef, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one, at, err := d.snapshot(m.Metadata.Client, m.Metadata.Name, m.Number)
		if err != nil {
			return err
		}
		s := one.packs.snapshots[at]
		for _, other := range s.mends {
			if other.Metadata.SHA256 == m.Metadata.SHA256 {
				if other.Blob != m.Blob {
					unused = m.Blob
				}
				return nil
			}
		}
		m.Metadata = cloneMetadata(m.Metadata)
		s.mends = append(s.mends, m)
		d.blobs[m.Blob] = true
		if packs, err := packset.Decode(m.Metadata.Snapshot.Packs); err == nil {
			one.packs.next = max(one.packs.next, packs.Max()+1)
		}
		return nil
	})
	return unused, err
}

// Mends returns the mend records of a snapshot, the oldest first.
func (c *Catalog) Mends(ctx context.Context, id store.ClientID, name string, number uint32) (mends []store.Mend, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one, at, err := d.snapshot(id, name, number)
		if err != nil {
			return err
		}
		for _, m := range one.packs.snapshots[at].mends {
			m.Metadata = cloneMetadata(m.Metadata)
			mends = append(mends, m)
		}
		return nil
	})
	return mends, err
}
