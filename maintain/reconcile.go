package maintain

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/store"
	"coffer/store/packset"
)

// Reconciled counts what Reconcile found.
type Reconciled struct {
	Needed    bool  // it was necessary
	Packs     int   // that the catalog did not know
	Missing   int   // that it knew and that are not there
	Snapshots int   // that it did not know
	Damaged   error // what could not be read, nil if all could; then nothing will be swept
}

// A PackCatalog is one that is brought into agreement with the packs beside it.
type PackCatalog interface {
	Marked
	AddVersion(ctx context.Context, v store.Version) error
	Refers(ctx context.Context, ref store.BlobRef) (bool, error)
	Version(ctx context.Context, id store.ClientID, name string, number uint32) (store.Version, error)
	PacksByOrdinal(ctx context.Context, client store.ClientID, ordinals []uint32) ([]store.Pack, error)
	ListPacks(ctx context.Context, client store.ClientID, after uint32, limit int) ([]store.Pack, error)
	MarkDamaged(ctx context.Context, client store.ClientID, ordinals []uint32, whole bool) error
	AddPacks(ctx context.Context, client store.ClientID, packs []store.Pack) (int, error)
	SettlePacks(ctx context.Context, client store.ClientID) error
	PackOwners(ctx context.Context, visit func(store.ClientID) error) error
	RestoreMend(ctx context.Context, m store.Mend) error
}

// PackBlobs are the blobs beside it.
type PackBlobs interface {
	MarkedBlobs
	Walk(ctx context.Context, visit func(store.StoredBlob) error) error
	Confirm(ctx context.Context, ref store.BlobRef, mark store.Confirmation) error
}

// Reconcile brings a catalog into agreement with the packs and manifests beside
// it, if it is not the one that was used with them last: it adds what it does
// not know, and notes what is not there. It is to be called before the first
// request is served, and does little if the catalog is the right one.
func Reconcile(ctx context.Context, catalog PackCatalog, blobs PackBlobs) (Reconciled, error) {
	var done Reconciled
	same, err := together(ctx, catalog, blobs)
	if err == nil && !same {
		done.Needed = true
		err = reconcile(ctx, catalog, blobs, &done)
	}
	if err == nil && done.Damaged == nil {
		err = remark(ctx, catalog, blobs)
	}
	if err != nil {
		return done, fmt.Errorf("reconciling the catalog with the packs: %w", err)
	}
	return done, nil
}

func reconcile(ctx context.Context, catalog PackCatalog, blobs PackBlobs, done *Reconciled) error {
	var mends []store.StoredBlob
	err := blobs.Walk(ctx, func(b store.StoredBlob) error {
		switch {
		case b.Metadata.Snapshot == nil, b.Confirmed == nil:
			return nil
		case b.Metadata.Snapshot.Mend:
			mends = append(mends, b)
			return nil
		}
		return adopt(ctx, catalog, blobs, b, done)
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	done.Damaged = err
	if err := restoreMends(ctx, catalog, mends); err != nil {
		return err
	}
	return addPacks(ctx, catalog, blobs, done)
}

// adopt adds a snapshot that the catalog does not know. If another has its
// number by now, it becomes the newest.
func adopt(ctx context.Context, catalog PackCatalog, blobs PackBlobs, b store.StoredBlob, done *Reconciled) error {
	known, err := catalog.Refers(ctx, b.Ref)
	if err != nil || known {
		return err
	}
	v := versionOf(b)
	_, err = catalog.Version(ctx, v.Client, v.Name, v.Number)
	switch {
	case err == nil:
		newest, err := catalog.Version(ctx, v.Client, v.Name, 0)
		if err != nil {
			return err
		}
		v.Number = newest.Number + 1
		mark := *b.Confirmed
		mark.Number = v.Number
		if err := blobs.Confirm(ctx, b.Ref, mark); err != nil {
			return err
		}
	case !errors.Is(err, store.ErrNoFile):
		return err
	}
	err = catalog.AddVersion(ctx, v)
	if errors.Is(err, store.ErrNoClient) {
		return nil // it was removed, and its blobs not yet
	}
	if err == nil {
		done.Snapshots++
	}
	return err
}

// versionOf is the version that a confirmed blob says it is.
func versionOf(b store.StoredBlob) store.Version {
	return store.Version{Metadata: b.Metadata, Number: b.Confirmed.Number, Verified: b.Confirmed.Verified,
		Created: b.Confirmed.Created, Blob: b.Ref}
}

// restoreMends adds mend records, once the snapshots are there that they mend.
func restoreMends(ctx context.Context, catalog PackCatalog, mends []store.StoredBlob) error {
	slices.SortFunc(mends, func(a, b store.StoredBlob) int { return a.Metadata.Received.Compare(b.Metadata.Received) })
	for _, b := range mends {
		err := catalog.RestoreMend(ctx, store.Mend{Metadata: b.Metadata, Number: b.Confirmed.Number, Blob: b.Ref})
		if err != nil && !errors.Is(err, store.ErrNoFile) {
			return err
		}
	}
	return nil
}

// packPage is how many packs are looked at in one step.
const packPage = 1000

// A packLister lists the packs of a client by their ordinals.
type packLister interface {
	ListPacks(ctx context.Context, client store.ClientID, after uint32, limit int) ([]store.Pack, error)
}

// eachPack visits the packs of a client that are not dead.
func eachPack(ctx context.Context, catalog packLister, client store.ClientID, visit func(store.Pack) error) error {
	for after, more := uint32(0), true; more; {
		page, err := catalog.ListPacks(ctx, client, after, packPage)
		if err != nil {
			return err
		}
		for _, p := range page {
			after = p.Ordinal
			if p.State == store.PackDead {
				continue
			}
			if err := visit(p); err != nil {
				return err
			}
		}
		more = len(page) == packPage
	}
	return nil
}

// addPacks makes the catalog's packs agree with the stored ones.
func addPacks(ctx context.Context, catalog PackCatalog, blobs PackBlobs, done *Reconciled) error {
	there := make(map[store.ClientID]*packset.Set)
	waiting := make(map[store.ClientID][]store.StoredPack)
	flush := func(client store.ClientID) error {
		packs := waiting[client]
		delete(waiting, client)
		return addStored(ctx, catalog, client, packs, there[client], done)
	}
	err := blobs.WalkPacks(ctx, func(p store.StoredPack) error {
		client := p.Metadata.Client
		if there[client] == nil {
			there[client] = new(packset.Set)
		}
		if waiting[client] = append(waiting[client], p); len(waiting[client]) < packPage {
			return nil
		}
		return flush(client)
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	done.Damaged = errors.Join(done.Damaged, err)
	for client := range there {
		if err := flush(client); err != nil {
			return err
		}
	}
	return catalog.PackOwners(ctx, func(client store.ClientID) error {
		if err := missPacks(ctx, catalog, client, there[client], done); err != nil {
			return err
		}
		return catalog.SettlePacks(ctx, client)
	})
}

// addStored adds those of a client's packs that the catalog does not know, and
// notes which are there.
func addStored(ctx context.Context, catalog PackCatalog, client store.ClientID, packs []store.StoredPack, there *packset.Set, done *Reconciled) error {
	var ordinals []uint32
	for _, p := range packs {
		ordinals = append(ordinals, p.Metadata.Ordinal)
	}
	known, err := catalog.PacksByOrdinal(ctx, client, ordinals)
	if err != nil {
		return err
	}
	var unknown []store.Pack
	for i, p := range packs {
		m := p.Metadata
		switch {
		case known[i].Blob == p.Ref:
			there.AddOrdinals(m.Ordinal, m.Ordinal)
		case known[i].Ordinal == 0 && m.Ordinal != 0:
			unknown = append(unknown, store.Pack{Client: client, ID: m.ID, Ordinal: m.Ordinal, Size: m.Size, Blob: p.Ref})
			there.AddOrdinals(m.Ordinal, m.Ordinal)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	added, err := catalog.AddPacks(ctx, client, unknown)
	if errors.Is(err, store.ErrNoClient) {
		return nil // it was removed, and its packs not yet
	}
	done.Packs += added
	return err
}

// missPacks notes which of a client's packs are not there.
func missPacks(ctx context.Context, catalog PackCatalog, client store.ClientID, there *packset.Set, done *Reconciled) error {
	for after, more := uint32(0), true; more; {
		page, err := catalog.ListPacks(ctx, client, after, packPage)
		if err != nil {
			return err
		}
		var missing []uint32
		for _, p := range page {
			after = p.Ordinal
			if p.State == store.PackWhole && (there == nil || !there.Has(p.Ordinal)) {
				missing = append(missing, p.Ordinal)
			}
		}
		if len(missing) > 0 {
			done.Missing += len(missing)
			if err := catalog.MarkDamaged(ctx, client, missing, false); err != nil {
				return err
			}
		}
		more = len(page) == packPage
	}
	return nil
}
