package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/store"
)

// blobData is what blobs keep.
type blobData struct {
	mu      sync.RWMutex
	last    int // number of the blob that was made last
	blobs   map[store.BlobRef]*kept
	parts   map[store.UploadID]*part
	records map[store.ClientID]store.AccountRecord
	packs   map[store.BlobRef]*keptPack
	mark    string // the generation
}

func newBlobData() blobData {
	return blobData{blobs: make(map[store.BlobRef]*kept), parts: make(map[store.UploadID]*part),
		records: make(map[store.ClientID]store.AccountRecord), packs: make(map[store.BlobRef]*keptPack)}
}

// A kept is one blob. Its content never changes.
type kept struct {
	meta      store.Metadata
	confirmed *store.Confirmation
	content   []byte
}

// Blobs are blobs in memory.
type Blobs struct {
	data   *blobData
	closed atomic.Bool

	mu   sync.Mutex
	held map[store.UploadID]bool // parts of this run, and parts visited in it
}

// Blobs opens the blobs.
func (d *Data) Blobs() *Blobs {
	return &Blobs{data: &d.blobs, held: make(map[store.UploadID]bool)}
}

func (b *Blobs) usable(ctx context.Context) error {
	if b.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// Put stores a small blob whole.
func (b *Blobs) Put(ctx context.Context, meta store.Metadata, content []byte) (store.BlobRef, error) {
	if len(content) > store.SmallBlob || int64(len(content)) != meta.Size {
		return "", fmt.Errorf("put a blob: %d bytes where the metadata says %d", len(content), meta.Size)
	}
	if err := b.usable(ctx); err != nil {
		return "", err
	}
	return b.data.add(meta, bytes.Clone(content)), nil
}

func (d *blobData) add(meta store.Metadata, content []byte) store.BlobRef {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	ref := store.BlobRef(fmt.Sprintf("memory/%d", d.last))
	d.blobs[ref] = &kept{meta: cloneMetadata(meta), content: content}
	return ref
}

// Confirm marks a blob as a committed version.
func (b *Blobs) Confirm(ctx context.Context, ref store.BlobRef, mark store.Confirmation) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	one := b.data.blobs[ref]
	if one == nil {
		return store.ErrNoBlob
	}
	mark.Created = stamp(mark.Created)
	one.confirmed = &mark
	return nil
}

// Open opens a blob for reading.
func (b *Blobs) Open(ctx context.Context, ref store.BlobRef) (store.Blob, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	b.data.mu.RLock()
	defer b.data.mu.RUnlock()
	if one := b.data.packs[ref]; one != nil {
		return opened{bytes.NewReader(one.content)}, nil
	}
	one := b.data.blobs[ref]
	if one == nil {
		return nil, store.ErrNoBlob
	}
	return opened{bytes.NewReader(one.content)}, nil
}

// An opened is a blob that is read.
type opened struct{ *bytes.Reader }

// Close implements io.Closer.
func (opened) Close() error { return nil }

// Remove removes a blob.
func (b *Blobs) Remove(ctx context.Context, ref store.BlobRef) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	delete(b.data.blobs, ref)
	delete(b.data.packs, ref)
	return nil
}

// Pending visits the blobs that are sealed and not confirmed.
func (b *Blobs) Pending(ctx context.Context, since time.Time, visit func(store.StoredBlob) error) error {
	return b.visit(ctx, visit, func(one *kept) bool { return one.confirmed == nil && one.meta.Received.After(since) })
}

// Walk visits every blob.
func (b *Blobs) Walk(ctx context.Context, visit func(store.StoredBlob) error) error {
	return b.visit(ctx, visit, func(*kept) bool { return true })
}

// visit visits the blobs that are meant. Nothing is locked meanwhile.
func (b *Blobs) visit(ctx context.Context, visit func(store.StoredBlob) error, meant func(*kept) bool) error {
	var found []store.StoredBlob
	b.data.mu.RLock()
	for ref, one := range b.data.blobs {
		if !meant(one) {
			continue
		}
		stored := store.StoredBlob{Ref: ref, Metadata: cloneMetadata(one.meta)}
		if one.confirmed != nil {
			mark := *one.confirmed
			stored.Confirmed = &mark
		}
		found = append(found, stored)
	}
	b.data.mu.RUnlock()
	for _, one := range found {
		if err := b.usable(ctx); err != nil {
			return err
		}
		if err := visit(one); err != nil {
			return err
		}
	}
	return b.usable(ctx)
}

func cloneAccountRecord(c store.AccountRecord) store.AccountRecord {
	c.Client, c.Bundle, c.Former = cloneClient(c.Client), bytes.Clone(c.Bundle), cloneFormer(c.Former)
	return c
}

// PutAccountRecord writes a client's account record.
func (b *Blobs) PutAccountRecord(ctx context.Context, c store.AccountRecord) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	c = cloneAccountRecord(c)
	c.Client.SessionKey, c.Client.LastSeen = nil, time.Time{}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	b.data.records[c.Client.ID] = c
	return nil
}

// RemoveAccountRecord removes a client's account record.
func (b *Blobs) RemoveAccountRecord(ctx context.Context, id store.ClientID) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	delete(b.data.records, id)
	return nil
}

// AccountRecords visits every account record. Nothing is locked meanwhile.
func (b *Blobs) AccountRecords(ctx context.Context, visit func(store.AccountRecord) error) error {
	b.data.mu.RLock()
	records := slices.Collect(maps.Values(b.data.records))
	b.data.mu.RUnlock()
	for _, c := range records {
		if err := b.usable(ctx); err != nil {
			return err
		}
		if err := visit(cloneAccountRecord(c)); err != nil {
			return err
		}
	}
	return b.usable(ctx)
}

// room is how much there is: as much as nobody fills in a test.
const room = 1 << 50

// Space returns the bytes that are free for blobs and in all.
func (b *Blobs) Space() (free, total uint64, err error) { return room, room, nil }

// Check reports whether the blobs can be read and written.
func (b *Blobs) Check(ctx context.Context) error { return b.usable(ctx) }

// Close closes the blobs; their data stays.
func (b *Blobs) Close() error {
	b.closed.Store(true)
	return nil
}
