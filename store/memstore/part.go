package memstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"coffer/store"
)

// maxRecord is the size of the largest record of a part.
const maxRecord = 255

// A part is an unfinished upload, as it outlives its server.
type part struct {
	id               store.UploadID
	content, waiting file

	mu      sync.Mutex
	header  []byte
	records [][]byte
}

// An openPart is a part that blobs have opened.
type openPart struct {
	*part
	blobs *Blobs
}

// NewPart begins a part for an upload.
func (b *Blobs) NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	if !b.hold(id) {
		return nil, fmt.Errorf("new part: %v has one", id)
	}
	p := &part{id: id, header: append([]byte{}, header...)}
	b.data.mu.Lock()
	defer b.data.mu.Unlock()
	b.data.parts[id] = p
	return &openPart{p, b}, nil
}

// hold marks the part as in use, unless it is.
func (b *Blobs) hold(id store.UploadID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[id] {
		return false
	}
	b.held[id] = true
	return true
}

// Parts visits the parts that an earlier run left.
func (b *Blobs) Parts(ctx context.Context, visit func(p store.Part, header []byte, records [][]byte) error) error {
	b.data.mu.RLock()
	left := slices.Collect(maps.Values(b.data.parts))
	b.data.mu.RUnlock()
	for _, p := range left {
		if err := b.usable(ctx); err != nil {
			return err
		}
		if !b.hold(p.id) {
			continue
		}
		p.mu.Lock()
		header, records := bytes.Clone(p.header), slices.Clone(p.records)
		p.mu.Unlock()
		if err := visit(&openPart{p, b}, header, records); err != nil {
			return err
		}
	}
	return b.usable(ctx)
}

// ID implements store.Part.
func (p *part) ID() store.UploadID { return p.id }

// Content implements store.Part.
func (p *part) Content() store.File { return &p.content }

// Waiting implements store.Part.
func (p *part) Waiting() store.File { return &p.waiting }

// Log implements store.Part.
func (p *part) Log(record []byte) error {
	if len(record) > maxRecord {
		return fmt.Errorf("log to a part: a record of %d bytes is too large", len(record))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records = append(p.records, append([]byte{}, record...))
	return nil
}

// Commit implements store.Part.
func (p *openPart) Commit(ctx context.Context, meta store.Metadata) (store.BlobRef, error) {
	if err := p.blobs.usable(ctx); err != nil {
		return "", err
	}
	content := make([]byte, meta.Size)
	if n, err := p.content.ReadAt(content, 0); int64(n) < meta.Size {
		return "", fmt.Errorf("seal a part: it has %d of %d bytes: %w", n, meta.Size, err)
	}
	ref := p.blobs.data.add(meta, content)
	return ref, p.Discard()
}

// Discard implements store.Part.
func (p *openPart) Discard() error {
	p.blobs.data.mu.Lock()
	delete(p.blobs.data.parts, p.id)
	p.blobs.data.mu.Unlock()
	p.blobs.mu.Lock()
	defer p.blobs.mu.Unlock()
	delete(p.blobs.held, p.id)
	return nil
}

// Close implements store.Part.
func (p *part) Close() error { return nil }

// A file is random access to bytes in memory. Its zero value is empty.
type file struct {
	mu    sync.RWMutex
	bytes []byte
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(b []byte, offset int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if offset >= int64(len(f.bytes)) {
		return 0, io.EOF
	}
	n := copy(b, f.bytes[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grow(offset + int64(len(b)))
	return copy(f.bytes[offset:], b), nil
}

// Truncate implements store.File.
func (f *file) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grow(size)
	clear(f.bytes[size:]) // what comes to be there again is zero
	f.bytes = f.bytes[:size]
	return nil
}

func (f *file) grow(size int64) {
	if more := size - int64(len(f.bytes)); more > 0 {
		f.bytes = append(f.bytes, make([]byte, more)...)
	}
}
