package maintain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/store"
)

// ScrubbedPacks is what a scrub asks of the catalog about packs.
type ScrubbedPacks interface {
	ListPacks(ctx context.Context, client store.ClientID, after uint32, limit int) ([]store.Pack, error)
	PacksByOrdinal(ctx context.Context, client store.ClientID, ordinals []uint32) ([]store.Pack, error)
	MarkDamaged(ctx context.Context, client store.ClientID, ordinals []uint32, whole bool) error
	NeededBy(ctx context.Context, client store.ClientID, ordinal uint32, visit func(store.Snapshot) error) error
	ListSnapshots(ctx context.Context, client store.ClientID, q store.SnapshotQuery) ([]store.Snapshot, error)
	Mends(ctx context.Context, client store.ClientID, name string, number uint32) ([]store.Mend, error)
	Marked
}

// packs reads back all packs of a client that are not dead.
func (s *scrub) packs(ctx context.Context, c store.Client) error {
	return eachPack(ctx, s.catalog, c.ID, func(p store.Pack) error { return s.pack(ctx, c, p) })
}

// pack reads a pack back, and notes if it is damaged, or no longer is.
func (s *scrub) pack(ctx context.Context, c store.Client, p store.Pack) error {
	fault, detail, err := s.readBack(ctx, p.Blob, p.Size, p.ID)
	if err != nil {
		return err
	}
	damaged := p.State == store.PackDamaged
	if fault != "" {
		// It may be that it was swept, or replaced, while it was read.
		now, err := s.catalog.PacksByOrdinal(ctx, c.ID, []uint32{p.Ordinal})
		if err != nil || now[0].Blob != p.Blob || now[0].State == store.PackDead {
			return err
		}
	}
	s.done.Packs++
	s.read(p.Size)
	if damaged != (fault != "") {
		if err := s.catalog.MarkDamaged(ctx, c.ID, []uint32{p.Ordinal}, fault == ""); err != nil {
			return err
		}
	}
	switch fault {
	case FaultMissing:
		s.done.Missing++
	case FaultDamaged:
		s.done.Damaged++
	default:
		return nil
	}
	f := Finding{Fault: fault, Client: c, Size: p.Size, Blob: p.Blob, Detail: detail, Pack: p.ID}
	err = s.catalog.NeededBy(ctx, c.ID, p.Ordinal, func(needs store.Snapshot) error {
		if f.Needed++; f.Needed == 1 {
			f.Name, f.Number = needs.Name, needs.Number
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.Detail = fmt.Sprintf("pack %s: %s; %s", p.ID, detail, neededBy(f.Needed))
	return s.found(f)
}

func neededBy(n int) string {
	switch n {
	case 0:
		return "no snapshot needs it"
	case 1:
		return "one snapshot needs it"
	}
	return fmt.Sprintf("%d snapshots need it", n)
}

// mends reads back the mend records of a client's snapshots.
func (s *scrub) mends(ctx context.Context, c store.Client) error {
	q := store.SnapshotQuery{All: true, Limit: packPage}
	for more := true; more; {
		page, err := s.catalog.ListSnapshots(ctx, c.ID, q)
		if err != nil {
			return err
		}
		for _, one := range page {
			q.After = store.Cursor{Name: one.Name, Number: one.Number}
			if one.Mends == 0 {
				continue
			}
			mends, err := s.catalog.Mends(ctx, c.ID, one.Name, one.Number)
			if errors.Is(err, store.ErrNoFile) {
				continue // removed meanwhile
			}
			if err != nil {
				return err
			}
			for _, m := range mends {
				v := store.Version{Metadata: m.Metadata, Number: m.Number, Blob: m.Blob}
				if err := s.version(ctx, c, v); err != nil {
					return err
				}
			}
		}
		more = len(page) == packPage
	}
	return nil
}

// orphanPacks looks for packs that the catalog does not know: packs that
// arrived while their run ended, or before a crash. It leaves them alone as
// long as the catalog may be an older one, in which packs are missing.
func (s *scrub) orphanPacks(ctx context.Context) error {
	same, err := together(ctx, s.catalog, s.blobs)
	if err != nil {
		return err
	}
	s.opts.Collect = s.opts.Collect && same
	waiting := make(map[store.ClientID][]store.StoredPack)
	flush := func(client store.ClientID) error {
		packs := waiting[client]
		delete(waiting, client)
		return s.unknownPacks(ctx, client, packs)
	}
	err = s.blobs.WalkPacks(ctx, func(p store.StoredPack) error {
		if time.Since(p.Stored) < s.opts.Unfinished {
			return nil // it may be about to be added
		}
		client := p.Metadata.Client
		if waiting[client] = append(waiting[client], p); len(waiting[client]) < packPage {
			return nil
		}
		return flush(client)
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	for client := range waiting {
		if err := flush(client); err != nil {
			return err
		}
	}
	return nil
}

// unknownPacks reports those of a client's packs that the catalog does not know.
func (s *scrub) unknownPacks(ctx context.Context, client store.ClientID, packs []store.StoredPack) error {
	var ordinals []uint32
	for _, p := range packs {
		ordinals = append(ordinals, p.Metadata.Ordinal)
	}
	known, err := s.catalog.PacksByOrdinal(ctx, client, ordinals)
	if err != nil {
		return err
	}
	for i, p := range packs {
		if known[i].Blob == p.Ref {
			continue
		}
		s.done.Orphans++
		if s.opts.Collect {
			if err := s.blobs.Remove(ctx, p.Ref); err != nil {
				return err
			}
			s.done.Freed += p.Metadata.Size
		}
		owner, err := s.catalog.Client(ctx, client)
		if err != nil && !errors.Is(err, store.ErrNoClient) {
			return err
		}
		err = s.found(Finding{Fault: FaultOrphan, Client: owner, Size: p.Metadata.Size, Blob: p.Ref, Pack: p.Metadata.ID,
			Detail: fmt.Sprintf("the catalog does not know the pack %s", p.Metadata.ID)})
		if err != nil {
			return err
		}
	}
	return nil
}
