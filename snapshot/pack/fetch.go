package pack

import (
	"context"
	"fmt"

	"coffer/snapshot"
)

// maxHeader is more than the header of a file for one recipient takes.
const maxHeader = 8 << 10

// sealed fetches the STREAM chunks of a pack from first to last, and its keys if
// they are not known. That takes one round trip, but for the first pack, whose
// header's size nobody knows.
func (r *Reader) sealed(ctx context.Context, pack snapshot.PackID, first, last int64) (*opened, []byte, error) {
	begin, end := first*streamSealed, (last+1)*streamSealed
	p, header := r.known(pack)
	switch {
	case p != nil:
		sealed, err := r.read(ctx, pack, int64(p.header)+begin, end-begin)
		return p, sealed, err
	case begin <= maxGap:
		return r.fromStart(ctx, pack, header, begin, end)
	case header == 0:
		if _, _, err := r.fromStart(ctx, pack, 0, 0, 0); err != nil {
			return nil, nil, err
		}
		return r.sealed(ctx, pack, first, last)
	default:
		return r.both(ctx, pack, header, begin, end)
	}
}

// fromStart fetches a pack from its start to the end of a range, opens it, and
// returns the range.
func (r *Reader) fromStart(ctx context.Context, pack snapshot.PackID, header int, begin, end int64) (*opened, []byte, error) {
	if header == 0 {
		header = maxHeader
	}
	start, err := r.read(ctx, pack, 0, int64(header)+end)
	if err != nil {
		return nil, nil, err
	}
	p, err := r.unseal(pack, start[:min(len(start), maxHeader)])
	if err != nil && header < maxHeader {
		// The header is perhaps longer than the last one was.
		return r.fromStart(ctx, pack, maxHeader, begin, end)
	}
	if err != nil {
		return nil, nil, err
	}
	if p.header > header {
		sealed, err := r.read(ctx, pack, int64(p.header)+begin, end-begin)
		return p, sealed, err
	}
	start = start[p.header:]
	start = start[:min(int64(len(start)), end)]
	return p, start[min(int64(len(start)), begin):], nil
}

// both fetches a pack's header and a range at the same time, as if the header
// were as long as the last one.
func (r *Reader) both(ctx context.Context, pack snapshot.PackID, header int, begin, end int64) (*opened, []byte, error) {
	type answer struct {
		sealed []byte
		err    error
	}
	ranges := make(chan answer, 1)
	go func() {
		sealed, err := r.read(ctx, pack, int64(header)+begin, end-begin)
		ranges <- answer{sealed, err}
	}()
	p, _, err := r.fromStart(ctx, pack, header, 0, 0)
	got := <-ranges
	switch {
	case err != nil:
		return nil, nil, err
	case p.header != header:
		sealed, err := r.read(ctx, pack, int64(p.header)+begin, end-begin)
		return p, sealed, err
	default:
		return p, got.sealed, got.err
	}
}

// read fetches a range, and returns no more than it asked for.
func (r *Reader) read(ctx context.Context, pack snapshot.PackID, offset, length int64) ([]byte, error) {
	sealed, err := r.fetch(ctx, pack, offset, int(length))
	if err != nil {
		return nil, fmt.Errorf("fetch %d bytes: %w", length, err)
	}
	return sealed[:min(int64(len(sealed)), length)], nil
}

// known returns a pack's keys, if it was opened before, and how long the header
// of the last opened pack was.
func (r *Reader) known(pack snapshot.PackID) (p *opened, header int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened[pack], r.header
}

// keep remembers an opened pack, and forgets another one when there are many.
func (r *Reader) keep(pack snapshot.PackID, p *opened) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for old := range r.opened {
		if len(r.opened) < maxOpened {
			break
		}
		delete(r.opened, old)
	}
	r.opened[pack] = p
	r.header = p.header
}
