package upload

import (
	"context"
	"io"
	"sync"
	"testing"

	"coffer/store"
	"coffer/store/memstore"
)

// testBlobs are blobs in memory whose storing can be held up.
type testBlobs struct {
	*memstore.Blobs
	data    *memstore.Data
	storing chan struct{} // if not nil, storing waits until it is closed
}

func newTestBlobs() *testBlobs {
	data := memstore.New()
	return &testBlobs{Blobs: data.Blobs(), data: data}
}

func (b *testBlobs) wait() {
	if b.storing != nil {
		<-b.storing
	}
}

func (b *testBlobs) Put(ctx context.Context, meta store.Metadata, content []byte) (store.BlobRef, error) {
	b.wait()
	return b.Blobs.Put(ctx, meta, content)
}

func (b *testBlobs) NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error) {
	p, err := b.Blobs.NewPart(ctx, id, header)
	return testPart{p, b}, err
}

type testPart struct {
	store.Part
	b *testBlobs
}

func (p testPart) Commit(ctx context.Context, meta store.Metadata) (store.BlobRef, error) {
	p.b.wait()
	return p.Part.Commit(ctx, meta)
}

// left counts what is stored.
func (b *testBlobs) left(t *testing.T) (parts, blobs int) {
	t.Helper()
	other := b.data.Blobs() // that holds no part
	if err := other.Parts(t.Context(), func(store.Part, []byte, [][]byte) error { parts++; return nil }); err != nil {
		t.Error(err)
	}
	if err := other.Walk(t.Context(), func(store.StoredBlob) error { blobs++; return nil }); err != nil {
		t.Error(err)
	}
	return parts, blobs
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
