package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	"coffer/store"
)

// A keptPack is the blob of one pack.
type keptPack struct {
	meta    store.PackMetadata
	stored  time.Time
	content []byte
}

// CreatePack begins to store a pack.
func (b *Blobs) CreatePack(ctx context.Context, meta store.PackMetadata) (store.PackWriter, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	return &packWriter{blobs: b, meta: meta}, nil
}

// A packWriter gathers a pack.
type packWriter struct {
	blobs   *Blobs
	meta    store.PackMetadata
	content bytes.Buffer
}

// Write implements io.Writer.
func (w *packWriter) Write(b []byte) (int, error) { return w.content.Write(b) }

// Commit makes what was written a blob.
func (w *packWriter) Commit(ctx context.Context) (store.BlobRef, error) {
	if err := w.blobs.usable(ctx); err != nil {
		return "", err
	}
	if int64(w.content.Len()) != w.meta.Size {
		return "", fmt.Errorf("store a pack: %d bytes where the metadata says %d", w.content.Len(), w.meta.Size)
	}
	d := w.blobs.data
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	ref := store.BlobRef(fmt.Sprintf("memory/pack/%d", d.last))
	d.packs[ref] = &keptPack{meta: w.meta, stored: stamp(time.Now()), content: w.content.Bytes()}
	return ref, nil
}

// Discard forgets what was written.
func (w *packWriter) Discard() error {
	w.content.Reset()
	return nil
}

// WalkPacks visits every pack. Nothing is locked meanwhile.
func (b *Blobs) WalkPacks(ctx context.Context, visit func(store.StoredPack) error) error {
	b.data.mu.RLock()
	packs := maps.Clone(b.data.packs)
	b.data.mu.RUnlock()
	for ref, one := range packs {
		if err := b.usable(ctx); err != nil {
			return err
		}
		if err := visit(store.StoredPack{Ref: ref, Metadata: one.meta, Stored: one.stored}); err != nil {
			return err
		}
	}
	return b.usable(ctx)
}

// RemovePacks removes all packs of a client.
func (b *Blobs) RemovePacks(ctx context.Context, client store.ClientID) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	maps.DeleteFunc(b.data.packs, func(_ store.BlobRef, one *keptPack) bool { return one.meta.Client == client })
	return nil
}

// Generation returns the mark that was left last.
func (b *Blobs) Generation(ctx context.Context) (string, error) {
	b.data.mu.RLock()
	defer b.data.mu.RUnlock()
	return b.data.mark, b.usable(ctx)
}

// SetGeneration leaves a mark.
func (b *Blobs) SetGeneration(ctx context.Context, mark string) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	b.data.mark = mark
	return nil
}
