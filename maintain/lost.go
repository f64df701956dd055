package maintain

import (
	"context"
	"errors"
	"fmt"

	"coffer/store"
)

var (
	// ErrLostCatalog: the catalog knows nobody, though there are account records
	// or files beside it.
	ErrLostCatalog = errors.New("the catalog is lost: it knows no client, but there are clients' files beside it")
	// ErrLostBlobs: none of the files that the catalog knows is there.
	ErrLostBlobs = errors.New("the files are lost: the catalog knows some, and none is there")
)

// errFound ends a search.
var errFound = errors.New("found")

// A Remembered catalog says how much it knows.
type Remembered interface {
	Totals(ctx context.Context) (store.Totals, error)
	Removals(ctx context.Context) ([]store.ClientID, error)
}

// CheckTogether reports whether catalog and blobs can belong together. A server
// without one of them would report to clients that they or their files are
// unknown, and clients might discard what only they have.
func CheckTogether(ctx context.Context, catalog Remembered, blobs Remainder) error {
	totals, err := catalog.Totals(ctx)
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	switch {
	case totals.Clients == 0:
		// Unless the last client was just being removed.
		if pending, err := catalog.Removals(ctx); err != nil || len(pending) > 0 {
			return err
		}
		if kept, err := HoldsClients(ctx, blobs); err != nil || !kept {
			return err
		}
		return ErrLostCatalog
	case totals.Versions > 0:
		if there, err := holdsFiles(ctx, blobs); err != nil || there {
			return err
		}
		return ErrLostBlobs
	}
	return nil
}

// HoldsClients reports whether there are account records, confirmed files or packs
// among the blobs, from which a catalog can be made anew.
func HoldsClients(ctx context.Context, blobs Remainder) (bool, error) {
	found, err := search(blobs.AccountRecords(ctx, func(store.AccountRecord) error { return errFound }))
	if err != nil || found {
		return found, err
	}
	if found, err = holdsFiles(ctx, blobs); err != nil || found {
		return found, err
	}
	return search(blobs.WalkPacks(ctx, func(store.StoredPack) error { return errFound }))
}

func holdsFiles(ctx context.Context, blobs Remainder) (bool, error) {
	return search(blobs.Walk(ctx, func(b store.StoredBlob) error {
		if b.Confirmed == nil {
			return nil
		}
		return errFound
	}))
}

// search reads how a search ended. What is damaged is there, too.
func search(err error) (found bool, _ error) {
	if errors.Is(err, errFound) || errors.Is(err, store.ErrDamaged) {
		return true, nil
	}
	return false, err
}
