package memstore

import (
	"context"
	"maps"
	"math"
	"slices"

	"coffer/store"
	"coffer/store/packset"
)

// SweepPacks makes one step of a sweep of a client's packs.
func (c *Catalog) SweepPacks(ctx context.Context, client store.ClientID, rules store.SweepRules) (swept store.Swept, err error) {
	if rules.Limit == 0 {
		rules.Limit = math.MaxInt
	}
	err = c.write(ctx, func(d *catalogData) error {
		one := d.clients[client]
		if one == nil {
			return nil
		}
		x := &one.packs
		needed, err := x.needed()
		if err != nil {
			return err
		}
		swept.Expired = x.expire(rules)
		if len(swept.Expired) > 0 {
			if needed, err = x.needed(); err != nil {
				return err
			}
		}
		x.age += rules.Elapsed
		x.mark(needed, rules, &swept)
		for _, ordinal := range slices.Sorted(maps.Keys(x.rows)) {
			row := x.rows[ordinal]
			if row.State != store.PackDead || x.age-row.deadAt < rules.Grace {
				continue
			}
			if len(swept.Removable) == rules.Limit {
				swept.More = true
				break
			}
			swept.Removable = append(swept.Removable, row.Pack)
		}
		return nil
	})
	return swept, err
}

// needed are the packs that a snapshot, a mend or a run needs.
func (x *packIndex) needed() (*packset.Set, error) {
	needed := new(packset.Set)
	for _, s := range x.snapshots {
		packs, err := s.all()
		if err != nil {
			return nil, err
		}
		needed.Union(packs)
	}
	for _, r := range x.runs {
		needed.Union(r.pins)
	}
	return needed, nil
}

// expire ends the runs that were idle for long. Since the last pass does not
// count: a request may have come at its very end.
func (x *packIndex) expire(rules store.SweepRules) (expired []store.Run) {
	if rules.Elapsed == 0 {
		return nil // another step of the same pass
	}
	for id, r := range x.runs {
		if x.age-r.seen >= rules.RunIdle {
			expired = append(expired, r.Run)
			delete(x.runs, id)
		}
	}
	return expired
}

// mark has packs that nothing needs be dead.
func (x *packIndex) mark(needed *packset.Set, rules store.SweepRules, swept *store.Swept) {
	useless := new(packset.Set)
	if x.next > 1 {
		useless.AddOrdinals(1, x.next-1)
	}
	useless.Subtract(x.gone)
	useless.Subtract(needed)
	for ordinal := range useless.After(0) {
		if swept.Marked == rules.Limit {
			swept.More = true
			return
		}
		x.gone.AddOrdinals(ordinal, ordinal)
		row := x.rows[ordinal]
		if row == nil {
			continue // it was placed, and never came
		}
		row.State, row.deadAt = store.PackDead, x.age
		delete(x.alive, row.ID)
		swept.Marked++
		swept.Bytes += row.Size
	}
}

// ForgetPacks forgets dead packs.
func (c *Catalog) ForgetPacks(ctx context.Context, client store.ClientID, ordinals []uint32) error {
	return c.write(ctx, func(d *catalogData) error {
		one := d.clients[client]
		if one == nil {
			return nil
		}
		for _, ordinal := range ordinals {
			if row := one.packs.rows[ordinal]; row != nil && row.State == store.PackDead {
				delete(one.packs.rows, ordinal)
			}
		}
		return nil
	})
}

// SweepLeftovers finds none: a client goes with all that it has.
func (c *Catalog) SweepLeftovers(ctx context.Context) (more bool, err error) {
	return false, c.usable(ctx)
}
