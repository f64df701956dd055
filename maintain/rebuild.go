package maintain

import (
	"context"
	"errors"
	"fmt"

	"coffer/store"
)

// Rebuilt counts what Rebuild found.
type Rebuilt struct {
	Clients     int
	Versions    int
	Unconfirmed int   // complete, never confirmed by their client; left to expire
	Ownerless   int   // without a client's account record
	Damaged     error // what could not be read, nil if all could
	Bytes       int64 // ciphertext of the versions
	Packs       int   // of snapshots
}

// An Empty catalog is one to fill.
type Empty interface {
	AddClient(ctx context.Context, c store.Client) error
	SetKeyBundle(ctx context.Context, id store.ClientID, bundle []byte) error
	AddFormerKey(ctx context.Context, id store.ClientID, k store.FormerKey) error
	PackCatalog
	UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error)
}

// A Remainder is what lies beside a lost catalog.
type Remainder interface {
	PackBlobs
	AccountRecords(ctx context.Context, visit func(store.AccountRecord) error) error
}

// Rebuild fills an empty catalog from what lies with the blobs: the clients'
// account records, and each confirmed blob's metadata. Sessions are lost, so
// clients reconnect. What is damaged is passed over and reported. sealed says
// which formats are those of clients that seal, which storage does not know.
func Rebuild(ctx context.Context, catalog Empty, blobs Remainder, sealed func(format uint8) bool) (Rebuilt, error) {
	var r Rebuilt
	early := make(map[store.ClientID]bool) // whose account record says nothing of base requests
	err := blobs.AccountRecords(ctx, func(record store.AccountRecord) error {
		client, bundle := record.Client, record.Bundle
		if err := catalog.AddClient(ctx, client); err != nil && !errors.Is(err, store.ErrNameTaken) {
			return fmt.Errorf("adding %v: %w", client.ID, err)
		}
		if bundle != nil {
			if err := catalog.SetKeyBundle(ctx, client.ID, bundle); err != nil {
				return fmt.Errorf("adding the key bundle of %v: %w", client.ID, err)
			}
		}
		for _, k := range record.Former {
			if err := catalog.AddFormerKey(ctx, client.ID, k); err != nil {
				return fmt.Errorf("adding a former key of %v: %w", client.ID, err)
			}
		}
		if record.Early {
			early[client.ID] = true
		}
		r.Clients++
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return r, fmt.Errorf("reading account records: %w", err)
	}
	r.Damaged = err
	var mends []store.StoredBlob
	err = blobs.Walk(ctx, func(b store.StoredBlob) error {
		if b.Confirmed == nil {
			r.Unconfirmed++
			return nil
		}
		if b.Metadata.Snapshot != nil && b.Metadata.Snapshot.Mend {
			mends = append(mends, b)
			return nil
		}
		err := catalog.AddVersion(ctx, versionOf(b))
		if errors.Is(err, store.ErrNoClient) {
			r.Ownerless++
			return nil
		}
		if err != nil {
			return fmt.Errorf("adding a version: %w", err)
		}
		if early[b.Metadata.Client] && sealed(b.Metadata.Format) {
			delete(early, b.Metadata.Client)
			if err := closeBase(ctx, catalog, b.Metadata.Client); err != nil {
				return err
			}
		}
		r.Versions++
		r.Bytes += b.Metadata.Size
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return r, fmt.Errorf("reading blobs: %w", err)
	}
	r.Damaged = errors.Join(r.Damaged, err)
	if err := rebuildPacks(ctx, catalog, blobs, mends, &r); err != nil {
		return r, fmt.Errorf("reading packs: %w", err)
	}
	return r, nil
}

// rebuildPacks adds what snapshots need. If all could be read, the catalog
// knows what may be swept.
func rebuildPacks(ctx context.Context, catalog Empty, blobs Remainder, mends []store.StoredBlob, r *Rebuilt) error {
	if err := restoreMends(ctx, catalog, mends); err != nil {
		return err
	}
	var done Reconciled
	if err := addPacks(ctx, catalog, blobs, &done); err != nil {
		return err
	}
	r.Packs = done.Packs
	r.Damaged = errors.Join(r.Damaged, done.Damaged)
	if r.Damaged != nil {
		return nil
	}
	return remark(ctx, catalog, blobs)
}

// closeBase has base requests refused for a client that seals: no base client
// does.
func closeBase(ctx context.Context, catalog Empty, id store.ClientID) error {
	_, err := catalog.UpdateClient(ctx, id, func(c *store.Client) error { c.BaseClosed = true; return nil })
	if err != nil {
		return fmt.Errorf("closing %v to base requests: %w", id, err)
	}
	return nil
}
