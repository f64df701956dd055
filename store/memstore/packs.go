package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"coffer/store"
	"coffer/store/packset"
)

// A packIndex is what a client has of packs, and what needs them.
type packIndex struct {
	next  uint32 // ordinal
	rows  map[uint32]*packRow
	alive map[store.PackID]uint32 // ordinals of packs that are not dead
	gone  *packset.Set            // ordinals that nothing may need any more

	age       time.Duration // how long sweepers have been seen to run
	runs      map[store.RunID]*run
	snapshots map[store.Cursor]*snapshot
}

type packRow struct {
	store.Pack
	deadAt time.Duration
}

func newPackIndex() packIndex {
	return packIndex{next: 1, rows: make(map[uint32]*packRow), alive: make(map[store.PackID]uint32), gone: new(packset.Set),
		runs: make(map[store.RunID]*run), snapshots: make(map[store.Cursor]*snapshot)}
}

// live finds a pack that is not dead.
func (x *packIndex) live(id store.PackID) *packRow {
	return x.rows[x.alive[id]] // no row has the ordinal 0
}

// whole finds a pack that can be relied on.
func (x *packIndex) whole(id store.PackID) *packRow {
	if row := x.live(id); row != nil && row.State == store.PackWhole {
		return row
	}
	return nil
}

func (x *packIndex) add(p store.Pack) {
	x.rows[p.Ordinal] = &packRow{Pack: p}
	x.alive[p.ID] = p.Ordinal
	x.next = max(x.next, p.Ordinal+1)
}

// readPacks calls f with what a client has of packs, if there is such a client.
func (c *Catalog) readPacks(ctx context.Context, id store.ClientID, f func(*packIndex) error) error {
	return c.read(ctx, func(d *catalogData) error {
		one := d.clients[id]
		if one == nil {
			empty := newPackIndex()
			return f(&empty)
		}
		return f(&one.packs)
	})
}

// Pack finds a pack by its id.
func (c *Catalog) Pack(ctx context.Context, client store.ClientID, id store.PackID) (found store.Pack, err error) {
	err = c.readPacks(ctx, client, func(x *packIndex) error {
		if row := x.live(id); row != nil {
			found = row.Pack
			return nil
		}
		for _, row := range x.rows {
			if row.ID == id {
				found = row.Pack
				return nil
			}
		}
		return store.ErrNoPack
	})
	return found, err
}

// PacksByID finds packs that are not dead.
func (c *Catalog) PacksByID(ctx context.Context, client store.ClientID, ids []store.PackID) ([]store.Pack, error) {
	found := make([]store.Pack, len(ids))
	err := c.readPacks(ctx, client, func(x *packIndex) error {
		for i, id := range ids {
			if row := x.live(id); row != nil {
				found[i] = row.Pack
			}
		}
		return nil
	})
	return found, err
}

// PacksByOrdinal finds packs, dead ones too.
func (c *Catalog) PacksByOrdinal(ctx context.Context, client store.ClientID, ordinals []uint32) ([]store.Pack, error) {
	found := make([]store.Pack, len(ordinals))
	err := c.readPacks(ctx, client, func(x *packIndex) error {
		for i, ordinal := range ordinals {
			if row := x.rows[ordinal]; row != nil {
				found[i] = row.Pack
			}
		}
		return nil
	})
	return found, err
}

// ListPacks returns packs in the order of their ordinals.
func (c *Catalog) ListPacks(ctx context.Context, client store.ClientID, after uint32, limit int) (page []store.Pack, err error) {
	err = c.readPacks(ctx, client, func(x *packIndex) error {
		for _, ordinal := range slices.Sorted(maps.Keys(x.rows)) {
			if ordinal > after && len(page) < limit {
				page = append(page, x.rows[ordinal].Pack)
			}
		}
		return nil
	})
	return page, err
}

// MarkDamaged notes that packs are damaged, or that they are not.
func (c *Catalog) MarkDamaged(ctx context.Context, client store.ClientID, ordinals []uint32, whole bool) error {
	return c.write(ctx, func(d *catalogData) error {
		one := d.clients[client]
		if one == nil {
			return nil
		}
		for _, ordinal := range ordinals {
			row := one.packs.rows[ordinal]
			switch {
			case row == nil || row.State == store.PackDead:
			case whole:
				row.State = store.PackWhole
			default:
				row.State = store.PackDamaged
			}
		}
		return nil
	})
}

// PackUsage returns how much of a client's storage is packs.
func (c *Catalog) PackUsage(ctx context.Context, client store.ClientID) (u store.PackUsage, err error) {
	err = c.readPacks(ctx, client, func(x *packIndex) error {
		for _, row := range x.rows {
			if row.State == store.PackDead {
				u.Dead++
				u.Freed += row.Size
			} else {
				u.Packs++
				u.Bytes += row.Size
			}
		}
		return nil
	})
	return u, err
}

// PackOwners visits the clients that have packs, or had some.
func (c *Catalog) PackOwners(ctx context.Context, visit func(store.ClientID) error) error {
	owners, err := c.all(ctx, func(one *client) bool { return one.packs.next > 1 || len(one.packs.runs) > 0 })
	for _, one := range owners {
		if err := visit(one.ID); err != nil {
			return err
		}
	}
	return err
}

// AddPacks adds packs under the ordinals that they bear.
func (c *Catalog) AddPacks(ctx context.Context, client store.ClientID, packs []store.Pack) (added int, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one, err := d.of(client)
		if err != nil {
			return err
		}
		x := &one.packs
		for _, p := range packs {
			if x.rows[p.Ordinal] != nil || x.gone.Has(p.Ordinal) || x.live(p.ID) != nil {
				continue
			}
			x.add(p)
			added++
		}
		return nil
	})
	return added, err
}

// SettlePacks has what was not added be lost.
func (c *Catalog) SettlePacks(ctx context.Context, client store.ClientID) error {
	return c.write(ctx, func(d *catalogData) error {
		one := d.clients[client]
		if one == nil {
			return nil
		}
		for ordinal := uint32(1); ordinal < one.packs.next; ordinal++ {
			if one.packs.rows[ordinal] == nil {
				one.packs.gone.AddOrdinals(ordinal, ordinal)
			}
		}
		return nil
	})
}
