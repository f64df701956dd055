package sqlite

import (
	"context"
	"fmt"
	"math"

	"coffer/store"
)

// grow makes a client one that has packs.
func (t *tx) grow(client store.ClientID) (owner, error) {
	o, there, err := t.packs().owner(client)
	if err != nil || there {
		return o, err
	}
	if _, err := t.exec(t.stmts.addOwner, client[:]); isOrphan(err) {
		return o, store.ErrNoClient
	} else if err != nil {
		return o, err
	}
	o, _, err = t.packs().owner(client)
	return o, err
}

// needMore notes that something may be needed that was not: what a sweep found
// out before no longer holds.
func (t *tx) needMore(o owner) error {
	_, err := t.exec(t.stmts.changeOwner, o.number)
	return err
}

// count changes what an owner has of packs.
func (t *tx) count(o owner, more store.PackUsage) error {
	_, err := t.exec(t.stmts.countPacks, more.Packs, more.Bytes, more.Dead, more.Freed, o.number)
	return err
}

// raise has the next ordinal be above one that is in use.
func (t *tx) raise(o owner, used uint32) error {
	if int64(used) < o.next {
		return nil
	}
	_, err := t.exec(t.stmts.raiseOrdinal, int64(used)+1, o.number)
	return err
}

// addPack adds a row. The caller knows that neither id nor ordinal is in use.
func (t *tx) addPack(o owner, p *store.Pack) error {
	if p.Ordinal == 0 || p.Size < 0 || p.State > store.PackDamaged {
		return fmt.Errorf("a pack of ordinal %d, size %d, state %d", p.Ordinal, p.Size, p.State)
	}
	if _, err := t.exec(t.stmts.addPack, o.number, int64(p.Ordinal), p.ID[:], p.Size, int64(p.State), string(p.Blob)); err != nil {
		return err
	}
	t.use(o.client, store.Usage{Bytes: p.Size})
	return t.count(o, store.PackUsage{Packs: 1, Bytes: p.Size})
}

// ofPacks calls f with a client that has packs, and a reader; not at all if it
// has none.
func (c *Catalog) ofPacks(ctx context.Context, client store.ClientID, f func(packReader, owner) error) error {
	return c.readPacks(ctx, func(r packReader) error {
		o, there, err := r.owner(client)
		if err != nil || !there {
			return err
		}
		return f(r, o)
	})
}

// Pack finds a pack by its id.
func (c *Catalog) Pack(ctx context.Context, client store.ClientID, id store.PackID) (store.Pack, error) {
	var found []store.Pack
	err := c.ofPacks(ctx, client, func(r packReader, o owner) (err error) {
		if found, err = r.byID(o, []store.PackID{id}); err != nil || found[0].Ordinal != 0 {
			return err
		}
		found, err = r.list(o, r.q.deadPack, id[:])
		return err
	})
	if err == nil && len(found) == 0 {
		err = store.ErrNoPack
	}
	if err != nil {
		return store.Pack{}, fmt.Errorf("find a pack: %w", err)
	}
	return found[0], nil
}

// PacksByID finds packs that are not dead.
func (c *Catalog) PacksByID(ctx context.Context, client store.ClientID, ids []store.PackID) ([]store.Pack, error) {
	found := make([]store.Pack, len(ids))
	err := c.ofPacks(ctx, client, func(r packReader, o owner) (err error) { found, err = r.byID(o, ids); return err })
	if err != nil {
		return nil, fmt.Errorf("find packs: %w", err)
	}
	return found, nil
}

// PacksByOrdinal finds packs, dead ones too.
func (c *Catalog) PacksByOrdinal(ctx context.Context, client store.ClientID, ordinals []uint32) ([]store.Pack, error) {
	found := make([]store.Pack, len(ordinals))
	err := c.ofPacks(ctx, client, func(r packReader, o owner) (err error) { found, err = r.byOrdinal(o, ordinals); return err })
	if err != nil {
		return nil, fmt.Errorf("find packs: %w", err)
	}
	return found, nil
}

// ListPacks returns packs in the order of their ordinals.
func (c *Catalog) ListPacks(ctx context.Context, client store.ClientID, after uint32, limit int) (page []store.Pack, err error) {
	err = c.ofPacks(ctx, client, func(r packReader, o owner) (err error) {
		page, err = r.list(o, r.q.packsAfter, int64(after), max(limit, 0))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	return page, nil
}

// MarkDamaged notes that packs are damaged, or that they are not.
func (c *Catalog) MarkDamaged(ctx context.Context, client store.ClientID, ordinals []uint32, whole bool) error {
	state := store.PackDamaged
	if whole {
		state = store.PackWhole
	}
	err := c.write(ctx, func(t *tx) error {
		o, there, err := t.packs().owner(client)
		if err != nil || !there {
			return err
		}
		for _, ordinal := range ordinals {
			if _, err := t.exec(t.stmts.markPack, int64(state), o.number, int64(ordinal)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark damaged packs: %w", err)
	}
	return nil
}

// PackUsage returns how much of a client's storage is packs.
func (c *Catalog) PackUsage(ctx context.Context, client store.ClientID) (u store.PackUsage, err error) {
	err = c.ofPacks(ctx, client, func(_ packReader, o owner) error { u = o.usage; return nil })
	if err != nil {
		return u, fmt.Errorf("read the usage of packs: %w", err)
	}
	return u, nil
}

// PackOwners visits the clients that have packs, or had some. No transaction is
// open meanwhile.
func (c *Catalog) PackOwners(ctx context.Context, visit func(store.ClientID) error) error {
	for after := int64(0); ; {
		var page []store.ClientID
		rows, err := c.query.ownersAfter.QueryContext(ctx, after, clientPage)
		if err == nil {
			err = eachRow(rows, func(row scanner) error {
				var id store.ClientID
				err := row.Scan(&after, fixed(id[:]))
				page = append(page, id)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("find the owners of packs: %w", explain(err))
		}
		for _, id := range page {
			if err := visit(id); err != nil {
				return err
			}
		}
		if len(page) < clientPage {
			return nil
		}
	}
}

// AddPacks adds packs under the ordinals that they bear.
func (c *Catalog) AddPacks(ctx context.Context, client store.ClientID, packs []store.Pack) (added int, err error) {
	err = c.write(ctx, func(t *tx) error {
		added = 0
		o, err := t.grow(client)
		if err != nil {
			return err
		}
		gone, _, err := t.packs().sets(o)
		if err != nil {
			return err
		}
		for i := range packs {
			p := &packs[i]
			if gone.Has(p.Ordinal) {
				continue
			}
			err := t.addPack(o, p)
			if isTaken(err) {
				continue
			}
			if err == nil {
				err = t.raise(o, p.Ordinal)
			}
			if err != nil {
				return err
			}
			o.next = max(o.next, int64(p.Ordinal)+1)
			added++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("add packs: %w", err)
	}
	return added, nil
}

// SettlePacks has what was not added be lost.
func (c *Catalog) SettlePacks(ctx context.Context, client store.ClientID) error {
	err := c.write(ctx, func(t *tx) error {
		o, there, err := t.packs().owner(client)
		if err != nil || !there || o.next == 1 {
			return err
		}
		gone, lost, err := t.packs().sets(o)
		if err != nil {
			return err
		}
		absent := gone.Clone()
		absent.AddOrdinals(1, uint32(o.next-1))
		absent.Subtract(gone)
		for after, more := uint32(0), true; more; {
			page, err := t.packs().list(o, t.stmts.packsAfter, int64(after), settlePage)
			if err != nil {
				return err
			}
			for _, p := range page {
				absent.Remove(p)
				after = p.Ordinal
			}
			more = len(page) == settlePage
		}
		gone.Union(absent)
		lost.Union(absent)
		return t.setPackSets(o, gone, lost)
	})
	if err != nil {
		return fmt.Errorf("settle packs: %w", err)
	}
	return nil
}

// settlePage is how many packs are in memory while they are settled.
const settlePage = 10_000

// maxOrdinal is the last that there is.
const maxOrdinal = math.MaxUint32 - 1
