package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"coffer/store"
	"coffer/store/packset"
)

// A snapshot is one as the catalog has it. Of the version it has client, name
// and number alone.
type snapshot struct {
	store.Snapshot
	row int64 // 0: none
}

// scanSnapshot reads snapshotColumns.
func scanSnapshot(row scanner, client store.ClientID) (snapshot, error) {
	var s snapshot
	s.Client = client
	err := row.Scan(&s.row, &s.Name, &s.Number, fixed(s.Run[:]), &s.Packs, &s.PackBytes, &s.Mends, &s.Head)
	return s, err
}

// find finds one snapshot, or returns ErrNoFile.
func (r packReader) find(o owner, by *sql.Stmt, args ...any) (found snapshot, err error) {
	err = r.each(by, func(row scanner) (err error) { found, err = scanSnapshot(row, o.client); return err },
		append([]any{o.number}, args...)...)
	if err == nil && found.row == 0 {
		err = store.ErrNoFile
	}
	return found, err
}

// snapshot finds a snapshot, the newest if number is 0.
func (r packReader) snapshot(o owner, name string, number uint32) (snapshot, error) {
	if number == 0 {
		return r.find(o, r.q.newestSnapshot, name)
	}
	return r.find(o, r.q.snapshot, name, int64(number))
}

// needs are the packs of a snapshot, those of its mends not included.
func (r packReader) needs(row int64) (*packset.Set, error) {
	b, err := r.blob(r.q.snapshotPacks, row)
	if err != nil {
		return nil, err
	}
	return packset.Decode(b)
}

// allNeeds are the packs of a snapshot and of its mends.
func (r packReader) allNeeds(s snapshot) (*packset.Set, error) {
	packs, err := r.needs(s.row)
	if err != nil || s.Mends == 0 {
		return packs, err
	}
	mends, err := r.mends(s)
	if err != nil {
		return nil, err
	}
	for _, m := range mends {
		more, err := packset.Decode(m.Metadata.Snapshot.Packs)
		if err != nil {
			return nil, err
		}
		packs.Union(more)
	}
	return packs, nil
}

func (r packReader) mends(s snapshot) (mends []store.Mend, err error) {
	err = r.each(r.q.snapshotMends, func(row scanner) error {
		m := store.Mend{Number: s.Number}
		var path string
		var meta, packs []byte
		if err := row.Scan(&path, &meta, &packs); err != nil {
			return err
		}
		m.Blob = store.BlobRef(path)
		m.Metadata, err = decodeMetadata(meta)
		if err == nil && m.Metadata.Snapshot == nil {
			err = fmt.Errorf("%w: a mend without packs", store.ErrDamaged)
		}
		mends = append(mends, m)
		return err
	}, s.row)
	return mends, err
}

// CommitSnapshot adds a version and ends its run.
func (c *Catalog) CommitSnapshot(ctx context.Context, commit store.SnapshotCommit, keep store.Retention) (number uint32, dropped []store.BlobRef, err error) {
	err = c.write(ctx, func(t *tx) (err error) {
		number, dropped, err = t.commitSnapshot(&commit, keep)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("commit a snapshot: %w", err)
	}
	return number, dropped, nil
}

func (t *tx) commitSnapshot(commit *store.SnapshotCommit, keep store.Retention) (number uint32, dropped []store.BlobRef, err error) {
	v := &commit.Version
	if _, err := t.client(v.Client); err != nil {
		return 0, nil, err
	}
	o, there, err := t.packs().owner(v.Client)
	if err == nil && !there {
		err = store.ErrNoRun
	}
	if err != nil {
		return 0, nil, err
	}
	made, there, err := t.madeBy(o, v)
	if err != nil {
		return 0, nil, err
	}
	if there {
		return made.Number, unless(made.Blob, v.Blob), nil
	}
	one, err := t.packs().run(o, v.Snapshot.Run)
	if err == nil && one.Name != v.Name {
		err = store.ErrNoRun
	}
	if err != nil {
		return 0, nil, err
	}
	newest, err := t.packs().newest(v.Client, v.Name)
	if err == nil && newest != commit.Before {
		err = store.ErrConflict
	}
	if err != nil {
		return 0, nil, err
	}
	packs, err := packset.Decode(v.Snapshot.Packs)
	if err == nil {
		err = t.packs().missing(o, packs)
	}
	if err != nil {
		return 0, nil, err
	}
	v.Number, err = t.addNewest(v)
	if err == nil {
		err = t.addSnapshot(o, v)
	}
	if err == nil {
		err = t.endRun(one)
	}
	if err != nil {
		return 0, nil, err
	}
	dropped, err = t.prune(v, keep)
	return v.Number, dropped, err
}

// madeBy finds the version that v's run has become.
func (t *tx) madeBy(o owner, v *store.Version) (made store.Version, there bool, err error) {
	s := snapshot{}
	err = t.each(t.stmts.snapshotOfRun, func(row scanner) (err error) { s, err = scanSnapshot(row, o.client); return err },
		o.number, v.Snapshot.Run[:])
	if err != nil || s.row == 0 {
		return made, false, err
	}
	made = s.Version
	err = t.each(t.stmts.versionPath, func(row scanner) error { return row.Scan(&made.Blob) }, o.client[:], s.Name, int64(s.Number))
	return made, true, err
}

// unless is a blob that is not the one that is kept.
func unless(kept, blob store.BlobRef) []store.BlobRef {
	if kept == blob {
		return nil
	}
	return []store.BlobRef{blob}
}

// addSnapshot notes what a version needs, whose row is there.
func (t *tx) addSnapshot(o owner, v *store.Version) error {
	s := v.Snapshot
	var count int64
	packs, err := packset.Decode(s.Packs)
	if err == nil { // else a sweep finds it
		count = packs.Len()
		if err := t.raise(o, packs.Max()); err != nil {
			return err
		}
	}
	head := s.Head
	if head == nil {
		head = []byte{}
	}
	var row int64
	err = t.eachWrite(t.stmts.addSnapshot, func(r scanner) error { return r.Scan(&row) },
		o.number, v.Name, int64(v.Number), s.Run[:], count, s.PackBytes, head)
	if err != nil {
		return err
	}
	if _, err := t.exec(t.stmts.addSnapshotPacks, row, append([]byte{}, s.Packs...)); err != nil {
		return err
	}
	if err := t.link(o, v.Name, v.Number); err != nil {
		return err
	}
	if err := t.linkBefore(o, v.Name, v.Number); err != nil {
		return err
	}
	return t.needMore(o)
}

// link notes which packs of a snapshot the next version of its name does not
// need. With those of the newest version these are all that a name needs, so a
// sweep reads no more of the others.
func (t *tx) link(o owner, name string, number uint32) error {
	s, err := t.packs().find(o, t.stmts.snapshot, name, int64(number))
	if err != nil {
		return err
	}
	var next snapshot
	err = t.each(t.stmts.snapshotAfter, func(row scanner) (err error) { next, err = scanSnapshot(row, o.client); return err },
		o.number, name, int64(number))
	if err != nil {
		return err
	}
	var leaving any // null
	if next.row != 0 {
		if leaving, err = t.leaving(s, next); err != nil {
			return err
		}
	}
	_, err = t.exec(t.stmts.setLeaving, leaving, s.row)
	return err
}

// leaving encodes what one snapshot needs and the next does not. Where that
// cannot be known it is all of it, readable or not.
func (t *tx) leaving(s, next snapshot) ([]byte, error) {
	b, err := t.packs().blob(t.stmts.snapshotPacks, s.row)
	if err != nil {
		return nil, err
	}
	packs, err := packset.Decode(b)
	if err != nil {
		return b, nil
	}
	kept, err := t.packs().needs(next.row)
	if err != nil {
		return b, nil
	}
	packs.Subtract(kept)
	return packs.Encode()
}

// linkBefore is link for the version before a number, if there is one.
func (t *tx) linkBefore(o owner, name string, number uint32) error {
	var before snapshot
	err := t.each(t.stmts.snapshotBefore, func(row scanner) (err error) { before, err = scanSnapshot(row, o.client); return err },
		o.number, name, int64(number))
	if err != nil || before.row == 0 {
		return err
	}
	return t.link(o, name, before.Number)
}

// dropSnapshots forgets what versions needed that are gone, and returns the
// blobs of their mends.
func (t *tx) dropSnapshots(client store.ClientID, gone []store.Cursor) (blobs []store.BlobRef, err error) {
	o, there, err := t.packs().owner(client)
	if err != nil || !there {
		return nil, err
	}
	var dropped []store.Cursor
	for _, at := range gone {
		var row, mends int64
		err := t.eachWrite(t.stmts.dropSnapshot, func(r scanner) error { return r.Scan(&row, &mends) }, o.number, at.Name, int64(at.Number))
		if err != nil {
			return nil, err
		}
		if row == 0 {
			continue // a version that is none
		}
		dropped = append(dropped, at)
		if _, err := t.exec(t.stmts.dropSnapshotPacks, row); err != nil {
			return nil, err
		}
		if mends == 0 {
			continue
		}
		err = t.eachWrite(t.stmts.dropMends, func(r scanner) error {
			var path store.BlobRef
			err := r.Scan(&path)
			blobs = append(blobs, path)
			return err
		}, row)
		if err != nil {
			return nil, err
		}
	}
	return blobs, t.linkAround(o, dropped)
}

// linkAround mends the links where versions are gone: once for each version
// that is the last before some of them.
func (t *tx) linkAround(o owner, gone []store.Cursor) error {
	done := make(map[store.Cursor]bool)
	for _, at := range gone {
		var before snapshot
		err := t.each(t.stmts.snapshotBefore, func(row scanner) (err error) { before, err = scanSnapshot(row, o.client); return err },
			o.number, at.Name, int64(at.Number))
		if err != nil {
			return err
		}
		last := store.Cursor{Name: at.Name, Number: before.Number}
		if before.row == 0 || done[last] {
			continue
		}
		done[last] = true
		if err := t.link(o, last.Name, last.Number); err != nil {
			return err
		}
	}
	return nil
}

// AddMend adds a mend record to a snapshot.
func (c *Catalog) AddMend(ctx context.Context, m store.Mend) (unused store.BlobRef, err error) {
	err = c.underRun(ctx, m.Metadata.Client, m.Metadata.Snapshot.Run, func(t *tx, o owner, _ run) error {
		packs, err := packset.Decode(m.Metadata.Snapshot.Packs)
		if err == nil {
			err = t.packs().missing(o, packs)
		}
		if err == nil {
			unused, err = t.addMend(o, &m)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("add a mend record: %w", err)
	}
	return unused, nil
}

// RestoreMend is AddMend for rebuilding a catalog.
func (c *Catalog) RestoreMend(ctx context.Context, m store.Mend) error {
	err := c.write(ctx, func(t *tx) error {
		o, there, err := t.packs().owner(m.Metadata.Client)
		if err == nil && !there {
			err = store.ErrNoFile
		}
		if err == nil {
			_, err = t.addMend(o, &m)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("add a mend record: %w", err)
	}
	return nil
}

func (t *tx) addMend(o owner, m *store.Mend) (unused store.BlobRef, err error) {
	s, err := t.packs().snapshot(o, m.Metadata.Name, m.Number)
	if err != nil {
		return "", err
	}
	there, err := t.packs().mends(s)
	if err != nil {
		return "", err
	}
	for _, other := range there {
		if other.Metadata.SHA256 == m.Metadata.SHA256 {
			if other.Blob == m.Blob {
				return "", nil
			}
			return m.Blob, nil
		}
	}
	meta, err := encodeMetadata(m.Metadata)
	if err != nil {
		return "", err
	}
	packs := append([]byte{}, m.Metadata.Snapshot.Packs...)
	if _, err := t.exec(t.stmts.addMend, s.row, o.number, string(m.Blob), meta, packs); err != nil {
		return "", err
	}
	if _, err := t.exec(t.stmts.countMend, s.row); err != nil {
		return "", err
	}
	if set, err := packset.Decode(packs); err == nil { // else a sweep finds it
		if err := t.raise(o, set.Max()); err != nil {
			return "", err
		}
	}
	return "", t.needMore(o)
}

// Mends returns the mend records of a snapshot, the oldest first.
func (c *Catalog) Mends(ctx context.Context, client store.ClientID, name string, number uint32) (mends []store.Mend, err error) {
	err = c.ofSnapshot(ctx, client, name, number, func(r packReader, _ owner, s snapshot) (err error) {
		mends, err = r.mends(s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read mend records: %w", err)
	}
	return mends, nil
}
