package view

import (
	"context"
	"errors"
	"fmt"
	"io"

	"coffer/snapshot"
)

// errNoFile: content is asked of something that has none.
var errNoFile = errors.New("it is no file")

// An extent is where content lies in a file.
type extent struct{ from, at, length uint64 } // in the content, in the file

// extents are where the content of a file lies, between its holes.
func extents(e *snapshot.Entry) []extent {
	var list []extent
	var from, at uint64
	for _, h := range append(e.Holes[:len(e.Holes):len(e.Holes)], snapshot.Extent{Offset: e.Size}) {
		if h.Offset > at {
			list = append(list, extent{from, at, h.Offset - at})
			from += h.Offset - at
		}
		at = h.Offset + h.Length
	}
	return list
}

// places calls f for the places of a file's content, with where each begins in
// the content.
func (s *Snapshot) places(ctx context.Context, e *snapshot.Entry, f func(p snapshot.Place, begin uint64) error) error {
	return snapshot.WalkContent(e, 0, func(p snapshot.Place) ([]byte, snapshot.PackID, error) {
		return s.Chunk(ctx, snapshot.List, p)
	}, f)
}

// Content writes the content of a file, its holes as zeros.
func (s *Snapshot) Content(ctx context.Context, e *snapshot.Entry, w io.Writer) error {
	if e.Type != snapshot.File {
		return errNoFile
	}
	filled := &filler{w: w, extents: extents(e), size: e.Size}
	err := s.places(ctx, e, func(p snapshot.Place, _ uint64) error {
		chunk, _, err := s.Chunk(ctx, snapshot.Data, p)
		if err != nil {
			return err
		}
		return filled.write(chunk)
	})
	if err != nil {
		return err
	}
	return filled.end()
}

// filler writes content with zeros where the holes are.
type filler struct {
	w       io.Writer
	extents []extent
	at      uint64 // in the file
	from    uint64 // in the content
	size    uint64
}

func (f *filler) write(p []byte) error {
	for len(p) > 0 {
		for len(f.extents) > 0 && f.from >= f.extents[0].from+f.extents[0].length {
			f.extents = f.extents[1:]
		}
		if len(f.extents) == 0 {
			return fmt.Errorf("%w: more content than its size says", snapshot.ErrMalformed)
		}
		x := f.extents[0]
		if err := f.zeros(x.at + f.from - x.from); err != nil {
			return err
		}
		n := min(uint64(len(p)), x.from+x.length-f.from)
		if _, err := f.w.Write(p[:n]); err != nil {
			return err
		}
		p, f.at, f.from = p[n:], f.at+n, f.from+n
	}
	return nil
}

// zeros writes zeros up to a place in the file.
func (f *filler) zeros(to uint64) error {
	if f.at >= to {
		return nil
	}
	_, err := io.CopyN(f.w, zeros{}, int64(to-f.at))
	f.at = to
	return err
}

func (f *filler) end() error { return f.zeros(f.size) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
