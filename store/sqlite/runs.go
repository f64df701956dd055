package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/store"
	"coffer/store/packset"
)

// A run is one as the catalog has it.
type run struct {
	store.Run
	number    int64
	baseBytes int64
	seenAge   int64
}

// scanRun reads runColumns.
func scanRun(row scanner, client store.ClientID) (run, error) {
	one := run{Run: store.Run{Client: client}}
	var begun, seen int64
	err := row.Scan(&one.number, fixed(one.ID[:]), &one.Name, &one.Base, &one.baseBytes, &begun, &seen, &one.seenAge, &one.Packs, &one.Bytes)
	one.Begun, one.Seen = unstamp(begun), unstamp(seen)
	return one, err
}

// run finds a run, or returns ErrNoRun.
func (r packReader) run(o owner, id store.RunID) (found run, err error) {
	err = r.each(r.q.run, func(row scanner) (err error) { found, err = scanRun(row, o.client); return err }, o.number, id[:])
	if err == nil && found.number == 0 {
		err = store.ErrNoRun
	}
	return found, err
}

// newest is the number of a file's newest version, 0 if there is none.
func (r packReader) newest(client store.ClientID, name string) (number uint32, err error) {
	err = r.each(r.q.newestVersion, func(row scanner) error { return row.Scan(&number) }, client[:], name)
	return number, err
}

// underRun calls change with a run that is under way, which it notes to have
// been seen.
func (c *Catalog) underRun(ctx context.Context, client store.ClientID, id store.RunID, change func(*tx, owner, run) error) error {
	return c.write(ctx, func(t *tx) error {
		o, one, err := t.runOf(client, id)
		if err != nil {
			return err
		}
		if err := t.sawRun(o, one); err != nil {
			return err
		}
		return change(t, o, one)
	})
}

// runOf finds a run of a client, or returns ErrNoRun.
func (t *tx) runOf(client store.ClientID, id store.RunID) (owner, run, error) {
	o, there, err := t.packs().owner(client)
	if err == nil && !there {
		err = store.ErrNoRun
	}
	if err != nil {
		return o, run{}, err
	}
	one, err := t.packs().run(o, id)
	return o, one, err
}

// seenEvery is how exact it is when a run was seen last, so that a request that
// changes nothing else need not write.
const seenEvery = time.Minute

// sawRun notes that a request of a run came.
func (t *tx) sawRun(o owner, one run) error {
	now := time.Now()
	if since := now.Sub(one.Seen); one.seenAge == o.age && since >= 0 && since < seenEvery {
		return nil
	}
	_, err := t.exec(t.stmts.sawRun, stamp(now), o.age, one.number)
	return err
}

// pin has a run need packs.
func (t *tx) pin(o owner, one run, packs *packset.Set) error {
	if packs.Len() == 0 {
		return nil
	}
	b, err := packs.Encode()
	if err != nil {
		return err
	}
	if _, err := t.exec(t.stmts.addPins, one.number, b); err != nil {
		return err
	}
	return t.needMore(o)
}

// pinOne is pin for a single pack.
func (t *tx) pinOne(o owner, one run, ordinal uint32) error {
	packs := new(packset.Set)
	packs.AddOrdinals(ordinal, ordinal)
	return t.pin(o, one, packs)
}

// BeginRun begins a run and pins the packs of its base.
func (c *Catalog) BeginRun(ctx context.Context, begun store.Run) (newest uint32, err error) {
	err = c.write(ctx, func(t *tx) error {
		o, err := t.grow(begun.Client)
		if err != nil {
			return err
		}
		if newest, err = t.packs().newest(begun.Client, begun.Name); err != nil {
			return err
		}
		one, err := t.packs().run(o, begun.ID)
		if !errors.Is(err, store.ErrNoRun) {
			if err == nil {
				err = t.sawRun(o, one)
			}
			return err
		}
		return t.beginRun(o, begun)
	})
	if err != nil {
		return 0, fmt.Errorf("begin a run: %w", err)
	}
	return newest, nil
}

func (t *tx) beginRun(o owner, begun store.Run) error {
	base, err := t.baseOf(o, begun)
	if err != nil {
		return err
	}
	b, err := base.Encode()
	if err != nil {
		return err
	}
	var number int64
	err = t.eachWrite(t.stmts.addRun, func(row scanner) error { return row.Scan(&number) },
		o.number, begun.ID[:], begun.Name, int64(begun.Base), base.Bytes, stamp(begun.Begun), stamp(begun.Begun), o.age)
	if err != nil || base.Len() == 0 {
		return err
	}
	if _, err := t.exec(t.stmts.addRunBase, number, b); err != nil {
		return err
	}
	return t.needMore(o)
}

// baseOf are the packs that a run starts from.
func (t *tx) baseOf(o owner, begun store.Run) (*packset.Set, error) {
	if begun.Base == 0 {
		return new(packset.Set), nil
	}
	s, err := t.packs().snapshot(o, begun.Name, begun.Base)
	if err != nil {
		return nil, err
	}
	packs, err := t.packs().needs(s.row)
	if err != nil {
		return nil, err
	}
	gone, _, err := t.packs().sets(o)
	if err != nil {
		return nil, err
	}
	packs.Subtract(gone)
	packs.Bytes = s.PackBytes
	return packs, nil
}

// Run finds a run of a client.
func (c *Catalog) Run(ctx context.Context, client store.ClientID, id store.RunID) (store.Run, error) {
	one := run{}
	err := c.ofPacks(ctx, client, func(r packReader, o owner) (err error) { one, err = r.run(o, id); return err })
	if err == nil && one.number == 0 {
		err = store.ErrNoRun
	}
	if err != nil {
		return store.Run{}, fmt.Errorf("find a run: %w", err)
	}
	return one.Run, nil
}

// RunBase returns the packs of a run's base.
func (c *Catalog) RunBase(ctx context.Context, client store.ClientID, id store.RunID) (packs []byte, bytes int64, err error) {
	one := run{}
	err = c.ofPacks(ctx, client, func(r packReader, o owner) (err error) {
		if one, err = r.run(o, id); err == nil {
			packs, err = r.blob(r.q.runBase, one.number)
		}
		return err
	})
	if err == nil && one.number == 0 {
		err = store.ErrNoRun
	}
	if err != nil {
		return nil, 0, fmt.Errorf("find a run: %w", err)
	}
	return packs, one.baseBytes, nil
}

// ListRuns returns the runs of a client, the oldest first.
func (c *Catalog) ListRuns(ctx context.Context, client store.ClientID) (runs []store.Run, err error) {
	err = c.ofPacks(ctx, client, func(r packReader, o owner) error {
		return r.each(r.q.runs, func(row scanner) error {
			one, err := scanRun(row, client)
			runs = append(runs, one.Run)
			return err
		}, o.number)
	})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return runs, nil
}

// EndRun ends a run without a snapshot.
func (c *Catalog) EndRun(ctx context.Context, client store.ClientID, id store.RunID) error {
	err := c.write(ctx, func(t *tx) error {
		_, one, err := t.runOf(client, id)
		if err == nil {
			err = t.endRun(one)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("end a run: %w", err)
	}
	return nil
}

// endRun forgets a run. What it pinned beside its base may be many rows, which
// a sweep takes away.
func (t *tx) endRun(one run) error {
	if _, err := t.exec(t.stmts.dropRun, one.number); err != nil {
		return err
	}
	_, err := t.exec(t.stmts.dropRunBase, one.number)
	return err
}

// AskPacks finds packs and pins the ones found.
func (c *Catalog) AskPacks(ctx context.Context, client store.ClientID, id store.RunID, ids []store.PackID) ([]store.FoundPack, error) {
	found := make([]store.FoundPack, len(ids))
	err := c.underRun(ctx, client, id, func(t *tx, o owner, one run) error {
		packs, err := t.packs().byID(o, ids)
		if err != nil {
			return err
		}
		pins := new(packset.Set)
		for i, p := range packs {
			found[i] = store.FoundPack{}
			if p.Ordinal != 0 && p.State == store.PackWhole {
				found[i] = store.FoundPack{Ordinal: p.Ordinal, Size: p.Size}
			}
		}
		pins.Add(found...)
		base, err := t.packs().base(one)
		if err != nil {
			return err
		}
		pins.Subtract(base)
		return t.pin(o, one, pins)
	})
	if err != nil {
		return nil, fmt.Errorf("look for packs: %w", err)
	}
	return found, nil
}

// base are the packs of a run's base.
func (r packReader) base(one run) (*packset.Set, error) {
	b, err := r.blob(r.q.runBase, one.number)
	if err != nil {
		return nil, err
	}
	return packset.Decode(b)
}

// PlacePack says which ordinal a pack has that is about to be stored.
func (c *Catalog) PlacePack(ctx context.Context, client store.ClientID, id store.RunID, pack store.PackID) (ordinal uint32, there bool, err error) {
	err = c.underRun(ctx, client, id, func(t *tx, o owner, one run) error {
		found, err := t.packs().byID(o, []store.PackID{pack})
		if err != nil {
			return err
		}
		if p := found[0]; p.Ordinal != 0 {
			ordinal, there = p.Ordinal, p.State == store.PackWhole
			return t.pinOne(o, one, ordinal)
		}
		if o.next > maxOrdinal {
			return errors.New("there are no ordinals left")
		}
		ordinal, there = uint32(o.next), false
		if err := t.raise(o, ordinal); err != nil {
			return err
		}
		return t.pinOne(o, one, ordinal)
	})
	if err != nil {
		return 0, false, fmt.Errorf("place a pack: %w", err)
	}
	return ordinal, there, nil
}

// AddPack adds a pack that was stored.
func (c *Catalog) AddPack(ctx context.Context, id store.RunID, p store.Pack) (unused store.BlobRef, err error) {
	p.State = store.PackWhole
	err = c.underRun(ctx, p.Client, id, func(t *tx, o owner, one run) (err error) {
		unused, err = t.putPack(o, one, p)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("add a pack: %w", err)
	}
	return unused, nil
}

func (t *tx) putPack(o owner, one run, p store.Pack) (unused store.BlobRef, err error) {
	found, err := t.packs().byID(o, []store.PackID{p.ID})
	if err != nil {
		return "", err
	}
	switch was := found[0]; {
	case was.Ordinal == 0:
		err = t.addPlaced(o, p)
	case was.Blob == p.Blob: // once more
		return "", nil
	case was.Ordinal == p.Ordinal && was.State == store.PackDamaged:
		unused = was.Blob
		_, err = t.exec(t.stmts.replacePack, string(p.Blob), o.number, int64(p.Ordinal))
	default:
		return p.Blob, t.pinOne(o, one, was.Ordinal)
	}
	if err == nil {
		_, err = t.exec(t.stmts.countRun, p.Size, one.number)
	}
	return unused, err
}

// addPlaced adds a pack whose ordinal PlacePack gave, unless a sweep found that
// its run had ended in the meantime.
func (t *tx) addPlaced(o owner, p store.Pack) error {
	gone, _, err := t.packs().sets(o)
	if err != nil {
		return err
	}
	if p.Ordinal == 0 || int64(p.Ordinal) >= o.next || gone.Has(p.Ordinal) {
		return store.ErrNoRun
	}
	err = t.addPack(o, &p)
	if isTaken(err) {
		return store.ErrNoRun // of the ordinal
	}
	return err
}
