package memstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"coffer/store"
	"coffer/store/packset"
)

// A run is one with what it pins.
type run struct {
	store.Run
	base *packset.Set
	pins *packset.Set // base included
	seen time.Duration
}

// of finds a run and notes that it was seen.
func (x *packIndex) of(id store.RunID) (*run, error) {
	one := x.runs[id]
	if one == nil {
		return nil, store.ErrNoRun
	}
	one.seen, one.Seen = x.age, stamp(time.Now())
	return one, nil
}

// withRun calls f, which may change what it is given, with a run of a client.
func (c *Catalog) withRun(ctx context.Context, client store.ClientID, id store.RunID, f func(*packIndex, *run) error) error {
	return c.write(ctx, func(d *catalogData) error {
		one := d.clients[client]
		if one == nil {
			return store.ErrNoRun
		}
		r, err := one.packs.of(id)
		if err != nil {
			return err
		}
		return f(&one.packs, r)
	})
}

// BeginRun begins a run.
func (c *Catalog) BeginRun(ctx context.Context, begun store.Run) (newest uint32, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one, err := d.of(begun.Client)
		if err != nil {
			return err
		}
		x := &one.packs
		if _, err := x.of(begun.ID); err == nil {
			newest = one.newest(begun.Name)
			return nil
		}
		r := &run{Run: begun, base: new(packset.Set), seen: x.age}
		r.Begun, r.Seen, r.Packs, r.Bytes = stamp(begun.Begun), stamp(begun.Begun), 0, 0
		if begun.Base != 0 {
			base := x.snapshots[store.Cursor{Name: begun.Name, Number: begun.Base}]
			if base == nil {
				return store.ErrNoFile
			}
			packs, err := base.needs()
			if err != nil {
				return err
			}
			packs.Subtract(x.gone)
			packs.Bytes = base.meta.PackBytes
			r.base = packs
		}
		r.pins = r.base.Clone()
		x.runs[r.ID] = r
		newest = one.newest(begun.Name)
		return nil
	})
	return newest, err
}

// Run finds a run of a client.
func (c *Catalog) Run(ctx context.Context, client store.ClientID, id store.RunID) (found store.Run, err error) {
	err = c.readPacks(ctx, client, func(x *packIndex) error {
		r := x.runs[id]
		if r == nil {
			return store.ErrNoRun
		}
		found = r.Run
		return nil
	})
	return found, err
}

// RunBase returns the packs of a run's base.
func (c *Catalog) RunBase(ctx context.Context, client store.ClientID, id store.RunID) (packs []byte, size int64, err error) {
	err = c.readPacks(ctx, client, func(x *packIndex) error {
		r := x.runs[id]
		if r == nil {
			return store.ErrNoRun
		}
		size = r.base.Bytes
		packs, err = r.base.Clone().Encode()
		return err
	})
	return packs, size, err
}

// ListRuns returns the runs of a client, the oldest first.
func (c *Catalog) ListRuns(ctx context.Context, client store.ClientID) (runs []store.Run, err error) {
	err = c.readPacks(ctx, client, func(x *packIndex) error {
		for _, r := range x.runs {
			runs = append(runs, r.Run)
		}
		return nil
	})
	slices.SortFunc(runs, func(a, b store.Run) int {
		if order := a.Begun.Compare(b.Begun); order != 0 {
			return order
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return runs, err
}

// EndRun ends a run without a snapshot.
func (c *Catalog) EndRun(ctx context.Context, client store.ClientID, id store.RunID) error {
	return c.withRun(ctx, client, id, func(x *packIndex, _ *run) error {
		delete(x.runs, id)
		return nil
	})
}

// AskPacks finds packs and pins the ones found.
func (c *Catalog) AskPacks(ctx context.Context, client store.ClientID, id store.RunID, ids []store.PackID) ([]store.FoundPack, error) {
	found := make([]store.FoundPack, len(ids))
	err := c.withRun(ctx, client, id, func(x *packIndex, r *run) error {
		for i, id := range ids {
			if row := x.whole(id); row != nil {
				found[i] = store.FoundPack{Ordinal: row.Ordinal, Size: row.Size}
			}
		}
		r.pins.Add(found...)
		return nil
	})
	return found, err
}

// PlacePack says which ordinal a pack has that is about to be stored.
func (c *Catalog) PlacePack(ctx context.Context, client store.ClientID, id store.RunID, pack store.PackID) (ordinal uint32, there bool, err error) {
	err = c.withRun(ctx, client, id, func(x *packIndex, r *run) error {
		if row := x.live(pack); row != nil {
			ordinal, there = row.Ordinal, row.State == store.PackWhole
		} else {
			ordinal = x.next
			x.next++
		}
		r.pins.AddOrdinals(ordinal, ordinal)
		return nil
	})
	return ordinal, there, err
}

// AddPack adds a pack that was stored.
func (c *Catalog) AddPack(ctx context.Context, id store.RunID, p store.Pack) (unused store.BlobRef, err error) {
	err = c.withRun(ctx, p.Client, id, func(x *packIndex, r *run) error {
		p.State = store.PackWhole
		row := x.live(p.ID)
		switch {
		case row == nil && (p.Ordinal == 0 || p.Ordinal >= x.next || x.rows[p.Ordinal] != nil || x.gone.Has(p.Ordinal)):
			return store.ErrNoRun // another run placed it, and has ended since
		case row == nil:
			x.add(p)
			r.pins.AddOrdinals(p.Ordinal, p.Ordinal)
		case row.Blob == p.Blob: // once more
			return nil
		case row.Ordinal == p.Ordinal && row.State == store.PackDamaged:
			unused = row.Blob
			row.Blob, row.State = p.Blob, store.PackWhole
		default:
			unused = p.Blob
			r.pins.AddOrdinals(row.Ordinal, row.Ordinal)
			return nil
		}
		r.Packs++
		r.Bytes += p.Size
		return nil
	})
	return unused, err
}
