package sqlite

import (
	"context"
	"fmt"
	"math"

	"coffer/store"
	"coffer/store/packset"
)

// A finding is what a sweep found out without keeping others from writing. It
// holds as long as the owner's changes are as many.
type finding struct {
	owner   owner
	useless *packset.Set
}

// SweepPacks makes one step of a sweep of a client's packs. What is needed is
// found out while others write; only if something came to it in the meantime
// is it found out once more in the transaction that marks.
func (c *Catalog) SweepPacks(ctx context.Context, client store.ClientID, rules store.SweepRules) (swept store.Swept, err error) {
	if rules.Limit == 0 {
		rules.Limit = math.MaxInt32
	}
	if err := c.sweepRuns(ctx, client, rules, &swept); err != nil {
		return store.Swept{}, fmt.Errorf("end runs that were idle: %w", err)
	}
	var found finding
	err = c.ofPacks(ctx, client, func(r packReader, o owner) (err error) {
		found, err = r.useless(o)
		return err
	})
	if err == nil && found.useless != nil && found.useless.Len() > 0 {
		err = c.write(ctx, func(t *tx) error { return t.mark(found, rules, &swept) })
	}
	if err == nil {
		err = c.removable(ctx, client, rules, &swept)
	}
	if err != nil {
		return store.Swept{}, fmt.Errorf("sweep packs: %w", err)
	}
	return swept, nil
}

// sweepRuns lets the owner grow older and ends runs that were idle for long.
// Since the last pass does not count: a request may have come at its very end.
func (c *Catalog) sweepRuns(ctx context.Context, client store.ClientID, rules store.SweepRules, swept *store.Swept) error {
	return c.write(ctx, func(t *tx) error {
		swept.Expired = nil
		o, there, err := t.packs().owner(client)
		if err != nil || !there || rules.Elapsed == 0 { // another step of the same pass
			return err
		}
		var idle []run
		err = t.each(t.stmts.idleRuns, func(row scanner) error {
			one, err := scanRun(row, client)
			idle = append(idle, one)
			return err
		}, o.number, o.age-int64(rules.RunIdle))
		if err != nil {
			return err
		}
		for _, one := range idle {
			if err := t.endRun(one); err != nil {
				return err
			}
			swept.Expired = append(swept.Expired, one.Run)
		}
		runs, err := t.joinPins(o)
		if err != nil {
			return err
		}
		if runs == 0 && o.usage.Dead == 0 {
			return nil // nothing that could grow older
		}
		_, err = t.exec(t.stmts.ageOwner, int64(rules.Elapsed), o.number)
		return err
	})
}

// pinRows is how many rows of what a run pins are left as they are.
const pinRows = 64

// joinPins makes one row of the many that a run's pins may have become. It
// returns how many runs there are.
func (t *tx) joinPins(o owner) (runs int, err error) {
	var all []run
	err = t.each(t.stmts.runs, func(row scanner) error {
		one, err := scanRun(row, o.client)
		all = append(all, one)
		return err
	}, o.number)
	if err != nil {
		return 0, err
	}
	for _, one := range all {
		var last, rows int64
		joined := new(packset.Set)
		err := t.each(t.stmts.runPins, func(row scanner) error {
			var number int64
			var b []byte
			if err := row.Scan(&number, &b); err != nil {
				return err
			}
			packs, err := packset.Decode(b)
			if err == nil {
				joined.Union(packs)
			}
			rows++
			last = max(last, number)
			return err
		}, one.number)
		if err != nil {
			return 0, err
		}
		if rows <= pinRows {
			continue
		}
		b, err := joined.Encode()
		if err != nil {
			return 0, err
		}
		if _, err := t.exec(t.stmts.dropPins, one.number, last); err != nil {
			return 0, err
		}
		if _, err := t.exec(t.stmts.addPins, one.number, b); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// useless are the packs that no snapshot, no mend and no run needs.
func (r packReader) useless(o owner) (finding, error) {
	found := finding{o, new(packset.Set)}
	if o.next > 1 {
		found.useless.AddOrdinals(1, uint32(o.next-1))
	}
	gone, _, err := r.sets(o)
	if err != nil {
		return found, err
	}
	found.useless.Subtract(gone)
	needed := new(packset.Set)
	for _, err := range []error{
		r.union(needed, r.q.newestPacks, o.number),
		r.union(needed, r.q.leavingPacks, o.number),
		r.union(needed, r.q.mendPacks, o.number),
		r.union(needed, r.q.ownerBases, o.number),
		r.union(needed, r.q.ownerPins, o.number),
	} {
		if err != nil {
			return found, err
		}
	}
	found.useless.Subtract(needed)
	return found, nil
}

// mark has packs that nothing needs be dead.
func (t *tx) mark(found finding, rules store.SweepRules, swept *store.Swept) error {
	swept.Marked, swept.Bytes, swept.More = 0, 0, false
	o, there, err := t.packs().owner(found.owner.client)
	if err != nil || !there {
		return err
	}
	if o.number != found.owner.number || o.changes != found.owner.changes {
		if found, err = t.packs().useless(o); err != nil {
			return err
		}
	}
	gone, lost, err := t.packs().sets(o)
	if err != nil {
		return err
	}
	n := 0
	for ordinal := range found.useless.After(0) {
		if n == rules.Limit {
			swept.More = true
			break
		}
		n++
		gone.AddOrdinals(ordinal, ordinal)
		err := t.eachWrite(t.stmts.killPack, func(row scanner) error {
			var size int64
			err := row.Scan(&size)
			swept.Marked++
			swept.Bytes += size
			return err
		}, o.age, o.number, int64(ordinal))
		if err != nil {
			return err
		}
	}
	if err := t.setPackSets(o, gone, lost); err != nil {
		return err
	}
	dead := int64(swept.Marked)
	return t.count(o, store.PackUsage{Packs: -dead, Bytes: -swept.Bytes, Dead: dead, Freed: swept.Bytes})
}

func (t *tx) setPackSets(o owner, gone, lost *packset.Set) error {
	g, err := gone.Encode()
	if err != nil {
		return err
	}
	l, err := lost.Encode()
	if err != nil {
		return err
	}
	_, err = t.exec(t.stmts.setPackSets, o.number, g, l)
	return err
}

// removable finds the packs that have been dead for the grace.
func (c *Catalog) removable(ctx context.Context, client store.ClientID, rules store.SweepRules, swept *store.Swept) error {
	return c.ofPacks(ctx, client, func(r packReader, o owner) (err error) {
		limit := rules.Limit
		swept.Removable, err = r.list(o, r.q.removablePacks, o.age-int64(rules.Grace), limit+1)
		if len(swept.Removable) > limit {
			swept.Removable, swept.More = swept.Removable[:limit], true
		}
		return err
	})
}

// ForgetPacks forgets dead packs.
func (c *Catalog) ForgetPacks(ctx context.Context, client store.ClientID, ordinals []uint32) error {
	err := c.write(ctx, func(t *tx) error {
		o, there, err := t.packs().owner(client)
		if err != nil || !there {
			return err
		}
		var forgotten, bytes int64
		for _, ordinal := range ordinals {
			err := t.eachWrite(t.stmts.forgetPack, func(row scanner) error {
				var size int64
				err := row.Scan(&size)
				forgotten++
				bytes += size
				return err
			}, o.number, int64(ordinal))
			if err != nil {
				return err
			}
		}
		t.use(client, store.Usage{Bytes: -bytes})
		return t.count(o, store.PackUsage{Dead: -forgotten, Freed: -bytes})
	})
	if err != nil {
		return fmt.Errorf("forget packs: %w", err)
	}
	return nil
}

// leftoverPortion is how many rows of each table one step takes away: some
// milliseconds, and a log that stays small.
const leftoverPortion = 5000

// SweepLeftovers forgets some of what removed clients and ended runs left.
func (c *Catalog) SweepLeftovers(ctx context.Context) (more bool, err error) {
	err = c.write(ctx, func(t *tx) error {
		more = false
		for _, stmt := range t.stmts.leftovers() {
			n, err := t.exec(stmt, leftoverPortion)
			if err != nil {
				return err
			}
			more = more || n == leftoverPortion
		}
		if more {
			return nil
		}
		_, err := t.exec(t.stmts.dropOwners)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("forget what removed clients left: %w", err)
	}
	return more, nil
}
