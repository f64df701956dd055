package upload

import (
	"context"
	"io"
	"sync"

	"coffer/store"
)

// memBlobs keeps blobs in memory.
type memBlobs struct {
	store.Blobs // panics for what no test of this package needs

	mu      sync.Mutex
	sealing chan struct{} // if not nil, sealing waits until it is closed
	parts   map[store.UploadID]*memPart
	blobs   map[store.BlobRef][]byte
}

func newMemBlobs() *memBlobs {
	return &memBlobs{parts: make(map[store.UploadID]*memPart), blobs: make(map[store.BlobRef][]byte)}
}

func (b *memBlobs) put(label store.Label, content []byte) store.BlobRef {
	b.mu.Lock()
	defer b.mu.Unlock()
	ref := store.BlobRef(label.Upload.String())
	b.blobs[ref] = append([]byte(nil), content[:label.Size]...)
	return ref
}

func (b *memBlobs) Put(_ context.Context, label store.Label, content []byte) (store.BlobRef, error) {
	b.wait()
	return b.put(label, content), nil
}

func (b *memBlobs) wait() {
	if b.sealing != nil {
		<-b.sealing
	}
}

func (b *memBlobs) Confirm(context.Context, store.BlobRef, store.Confirmation) error { return nil }

func (b *memBlobs) Remove(_ context.Context, ref store.BlobRef) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.blobs, ref)
	return nil
}

func (b *memBlobs) NewPart(_ context.Context, id store.UploadID, _ []byte) (store.Part, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &memPart{b: b, id: id}
	b.parts[id] = p
	return p, nil
}

func (b *memBlobs) left() (parts, blobs int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.parts), len(b.blobs)
}

type memPart struct {
	b                *memBlobs
	id               store.UploadID
	content, waiting memFile
}

func (p *memPart) ID() store.UploadID  { return p.id }
func (p *memPart) Content() store.File { return &p.content }
func (p *memPart) Waiting() store.File { return &p.waiting }
func (p *memPart) Log([]byte) error    { return nil }
func (p *memPart) Close() error        { return nil }

func (p *memPart) Seal(_ context.Context, label store.Label) (store.BlobRef, error) {
	p.b.wait()
	ref := p.b.put(label, p.content.bytes())
	return ref, p.Discard()
}

func (p *memPart) Discard() error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	delete(p.b.parts, p.id)
	return nil
}

// A memFile is a file in memory.
type memFile struct {
	mu sync.Mutex
	b  []byte
}

func (f *memFile) bytes() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.b
}

func (f *memFile) ReadAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if offset >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(b, f.b[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if need := int(offset) + len(b); need > len(f.b) {
		f.b = append(f.b, make([]byte, need-len(f.b))...)
	}
	return copy(f.b[offset:], b), nil
}

func (f *memFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.b = f.b[:size]
	return nil
}
