package files

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/store"
)

// A group is what is written and synced at once; it ends at so many records
// or bytes.
const (
	maxGroup      = 512
	maxGroupBytes = 1 << 20
)

var errClosed = errors.New("the blobs are closed")

// A put is one record and the caller that waits for its sync.
type put struct {
	ctx      context.Context
	head     []byte // header and metadata
	content  []byte
	padding  int
	received time.Time

	// owned by the appender until done is closed
	at   place
	err  error
	done chan struct{}
}

func (r *put) size() int64 { return int64(len(r.head) + len(r.content) + r.padding) }

// put appends a record and waits until it is synced.
func (p *packs) put(ctx context.Context, meta store.Metadata, content []byte) (store.BlobRef, error) {
	if len(content) > store.SmallBlob {
		return "", fmt.Errorf("%d bytes are more than the %d of a small blob", len(content), store.SmallBlob)
	}
	if meta.Size != int64(len(content)) {
		return "", fmt.Errorf("the metadata says %d bytes, the content has %d", meta.Size, len(content))
	}
	r := &put{ctx: ctx, content: content, received: meta.Received, done: make(chan struct{})}
	r.head, r.padding = appendRecord(make([]byte, 0, 1024), &meta, content)
	if len(r.head)-headerSize > maxMetadata {
		return "", fmt.Errorf("metadata of %d bytes is too large", len(r.head)-headerSize)
	}
	if err := p.send(r); err != nil {
		return "", err
	}
	<-r.done
	if r.err != nil {
		return "", r.err
	}
	return r.at.ref(), nil
}

func (p *packs) send(r *put) error {
	p.sending.RLock()
	defer p.sending.RUnlock()
	if p.closed {
		return errClosed
	}
	select {
	case p.queue <- r:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// appendLoop writes what is queued, one group after another.
func (p *packs) appendLoop() {
	defer close(p.ended)
	var group []*put
	var buf []byte
	for first := range p.queue {
		group = p.gather(append(group[:0], first))
		buf = p.appendGroup(group, buf[:0])
		for _, r := range group {
			close(r.done)
		}
		clear(group)
	}
}

// gather adds what else is queued, without waiting for more.
func (p *packs) gather(group []*put) []*put {
	bytes := group[0].size()
	for len(group) < maxGroup && bytes < maxGroupBytes {
		select {
		case r, open := <-p.queue:
			if !open {
				return group
			}
			group = append(group, r)
			bytes += r.size()
		default:
			return group
		}
	}
	return group
}

// appendGroup stores a group with one write and one sync, and sets each put's
// place or error. It returns buf for the next.
func (p *packs) appendGroup(group []*put, buf []byte) []byte {
	if err := p.roll(); err != nil {
		fail(group, err)
		return buf
	}
	for _, r := range group {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		r.at = place{pack: p.active, offset: p.size + int64(len(buf))}
		buf = append(buf, r.head...)
		buf = append(buf, r.content...)
		buf = append(buf, make([]byte, r.padding)...)
	}
	if len(buf) == 0 {
		return buf
	}
	if err := p.write(buf); err != nil {
		fail(group, err)
		return buf
	}
	p.marks.Lock()
	counts := p.countsLocked(p.active)
	for _, r := range group {
		if r.err == nil {
			counts.live++
			counts.newest = later(counts.newest, r.received)
		}
	}
	p.marks.Unlock()

	p.mu.Lock()
	p.size += int64(len(buf))
	p.mu.Unlock()
	return buf
}

func fail(group []*put, err error) {
	for _, r := range group {
		if r.err == nil {
			r.err = err
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// write appends to the active pack and syncs it. Only the appender changes
// active, file and size, so it reads them without the lock.
func (p *packs) write(b []byte) error {
	_, err := p.file.WriteAt(b, p.size)
	synced := err == nil
	if synced {
		err = p.file.Sync()
	}
	if err == nil {
		return nil
	}
	// Take back what may have been written. Where that fails, or a sync did,
	// nobody knows what the file holds from here on: it gets no more.
	if cut := p.file.Truncate(p.size); cut != nil || synced {
		err = errors.Join(err, p.abandon())
	}
	return err
}

// abandon makes the active pack one that is only read.
func (p *packs) abandon() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.file.Close()
	p.file = nil
	return err
}

// roll begins a pack if there is none to append to.
func (p *packs) roll() error {
	if p.file != nil && p.size < p.limit {
		return nil
	}
	next, err := p.files.create(p.active + 1)
	if err != nil {
		return err
	}
	p.marks.Lock()
	defer p.marks.Unlock()
	full, last := p.file, p.active
	p.mu.Lock()
	p.active, p.file, p.size = last+1, next, packHeadSize
	p.mu.Unlock()
	p.known[p.active] = &packCounts{counted: true}
	if full != nil {
		// It is synced but for marks, which need not be.
		err = full.Close()
	}
	return errors.Join(err, p.dropEmptyLocked(last))
}

// resume prepares the last pack of an earlier run for appending, without what
// a crash left half written at its end.
func (p *packs) resume(number int) error {
	f, err := p.files.open(number)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil && size < packHeadSize {
		// A crash came between its name and its head. There is nothing in it.
		p.active = number - 1
		return errors.Join(f.Close(), p.files.remove(number))
	}
	var end int64
	counts := &packCounts{counted: true}
	if err == nil {
		end, err = mendTail(f, size, counts)
	}
	if err == nil && end < size {
		err = errors.Join(f.Truncate(end), f.Sync())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p.active, p.file, p.size = number, f, end
	p.known[number] = counts
	return nil
}

// mendTail returns where the last whole record of a pack ends, and counts the
// records. The last group may be there in parts, in any order: what of it is
// broken was never answered for, and goes.
func mendTail(f packFile, size int64, counts *packCounts) (end int64, err error) {
	type span struct {
		offset int64
		h      header
	}
	var tail []span // of what may belong to the last group
	end, err = scanRecords(f, size, func(offset int64, h header) error {
		counts.newest = later(counts.newest, h.received)
		if h.mark.state != dead {
			counts.live++
		}
		if offset >= size-2*maxGroupBytes {
			tail = append(tail, span{offset, h})
		}
		return nil
	}, func(int64) {})
	if err != nil {
		return 0, err
	}
	last := true
	for i := len(tail) - 1; i >= 0; i-- {
		at, h := tail[i].offset, tail[i].h
		whole, err := isWhole(f, at, h)
		if err != nil {
			return 0, err
		}
		if whole || h.mark.state != pending {
			last = false
			continue
		}
		counts.live--
		if last {
			end = at
			continue
		}
		m := mark{state: dead}.encode()
		if _, err := f.WriteAt(m[:], at+markOffset); err != nil {
			return 0, err
		}
	}
	return end, nil
}

// isWhole reports whether metadata and content are what the header says.
func isWhole(f packFile, offset int64, h header) (bool, error) {
	_, err := readMetadata(f, offset, h)
	if err == nil {
		_, err = readContent(f, offset, h)
	}
	if errors.Is(err, store.ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}
