package maintain

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"coffer/export"
	"coffer/store"
)

// A packExport writes a client's packs, and says what its snapshots need.
type packExport struct {
	// static after construction
	catalog Listing
	blobs   store.Contents
	client  store.ClientID
	folder  string
	wrote   func(bytes int64)

	written int
	lost    map[store.PackID]bool
}

// all writes all packs that are not dead. One that is damaged or missing is
// left out: the rest restores without it.
func (e *packExport) all(ctx context.Context) error {
	return eachPack(ctx, e.catalog, e.client, func(p store.Pack) error { return e.pack(ctx, p) })
}

func (e *packExport) pack(ctx context.Context, p store.Pack) error {
	path := export.PackPath(e.folder, export.Hash(p.ID))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	_, err := exportBlob(ctx, e.blobs, p.Blob, p.ID, path)
	if errors.Is(err, store.ErrNoBlob) || errors.Is(err, store.ErrDamaged) {
		e.lost[p.ID] = true
		return nil
	}
	if err != nil {
		return err
	}
	e.written++
	e.wrote(p.Size)
	return nil
}

// snapshot says what a version needs, nil if it is no snapshot, and writes its
// mend records.
func (e *packExport) snapshot(ctx context.Context, v store.Version) (*export.Snapshot, error) {
	s, err := e.catalog.Snapshot(ctx, v.Client, v.Name, v.Number)
	if errors.Is(err, store.ErrNoFile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entry := &export.Snapshot{Head: s.Head, Run: s.Run[:], Packs: s.Packs}
	if entry.Lost, err = e.lostOf(ctx, v); err != nil {
		return nil, err
	}
	mends, err := e.catalog.Mends(ctx, v.Client, v.Name, v.Number)
	if err != nil {
		return nil, err
	}
	for _, m := range mends {
		sum := m.Metadata.SHA256
		if _, err := exportBlob(ctx, e.blobs, m.Blob, sum, export.ContentPath(e.folder, sum)); err != nil {
			return nil, err
		}
		entry.Mends = append(entry.Mends, sum)
	}
	return entry, nil
}

// lostOf are the packs that a snapshot needs and that are not in the export.
func (e *packExport) lostOf(ctx context.Context, v store.Version) (lost []export.Hash, err error) {
	if len(e.lost) == 0 {
		return nil, nil
	}
	for after, more := uint32(0), true; more; {
		page, err := e.catalog.SnapshotPacks(ctx, v.Client, v.Name, v.Number, after, packPage)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			after = p.Ordinal
			if e.lost[p.ID] {
				lost = append(lost, export.Hash(p.ID))
			}
		}
		more = len(page) == packPage
	}
	return lost, nil
}
