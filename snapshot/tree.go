package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Sizes of the pieces that listings and lists of places are cut into.
const (
	minPiece = 16 << 10
	maxPiece = 256 << 10
)

// A piece is cut after about one in so many names, or places, once it has its
// least size. Both give pieces of 64 KiB or so.
const (
	cutEntries = 128
	cutPlaces  = 512
)

// A TreeWriter makes tree pieces of the entries of one directory. Where it cuts
// depends on names alone, so that a file's new time or content changes one piece.
type TreeWriter struct {
	keys  *Keys
	emit  func(piece []byte) error
	packs packTable
	lines []byte
	piece []byte // the one emitted last, for its memory
	last  []byte // the name added last
	began bool
}

// NewTreeWriter returns a writer that calls emit for each piece; the piece is
// the writer's own, and valid until emit returns.
func NewTreeWriter(keys *Keys, emit func(piece []byte) error) *TreeWriter {
	return &TreeWriter{keys: keys, emit: emit}
}

// Add adds an entry; entries come in bytewise ascending order of their names.
// It fails with ErrMalformed for an entry that contradicts itself, and with
// ErrTooLarge for one that is too large; the writer goes on without it.
func (w *TreeWriter) Add(e *Entry) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("add to a tree: %w", err)
	}
	if w.began && e.Name <= string(w.last) {
		return fmt.Errorf("add to a tree: %w", malformed("%.60q after %.60q", e.Name, w.last))
	}
	packs, before := len(w.packs.ids), len(w.lines)
	w.lines = append(appendEntry(w.lines, e, &w.packs), '\n')
	if len(w.lines)-before > maxLine {
		w.lines = w.lines[:before]
		w.packs.truncate(packs)
		return fmt.Errorf("add %.60q to a tree: %w", e.Name, ErrTooLarge)
	}
	w.began, w.last = true, append(w.last[:0], e.Name...)
	if len(w.lines) >= maxPiece || len(w.lines) >= minPiece && w.cutsAfter(w.last) {
		return w.flush()
	}
	return nil
}

// cutsAfter reports whether a name ends a piece.
func (w *TreeWriter) cutsAfter(name []byte) bool {
	sum := w.keys.mac(forCuts, noKind, name)
	return binary.BigEndian.Uint64(sum[:8])%cutEntries == 0
}

// Close emits the last piece. A directory without entries has none.
func (w *TreeWriter) Close() error {
	if len(w.lines) == 0 {
		return nil
	}
	return w.flush()
}

// Reset begins another directory.
func (w *TreeWriter) Reset() {
	w.lines, w.last, w.began = w.lines[:0], w.last[:0], false
	w.packs.reset()
}

func (w *TreeWriter) flush() error {
	w.piece = append(w.packs.appendTable(w.piece[:0]), w.lines...)
	w.lines = w.lines[:0]
	w.packs.reset()
	return w.emit(w.piece)
}

// A TreeReader reads the pieces of one directory after another, and holds
// memory in proportion to a piece.
type TreeReader struct {
	scan  scanner
	packs []PackID
	slab  placeSlab
	last  string
	began bool
}

// Reset begins the next piece of the directory. Places in the piece's own pack
// name self.
func (r *TreeReader) Reset(piece []byte, self PackID) error {
	if len(piece) > MaxChunk {
		return malformed("a tree piece of %d bytes", len(piece))
	}
	r.scan = scanner{text: string(piece)}
	r.packs = r.scan.table(r.packs[:0], self)
	return r.scan.err
}

// Next reads an entry, and returns io.EOF after the last one of the piece. The
// entry's strings keep the text of its piece in memory.
func (r *TreeReader) Next(e *Entry) error {
	s := &r.scan
	if s.err != nil {
		return s.err
	}
	if s.at == len(s.text) {
		return io.EOF
	}
	*e = Entry{}
	begin := s.at
	s.entry(e, r.packs, &r.slab)
	s.byte('\n')
	if s.err == nil && s.at-begin > maxLine {
		s.fail("a line of %d bytes", s.at-begin)
	}
	if s.err == nil {
		s.err = e.check()
	}
	if s.err == nil && r.began && e.Name <= r.last {
		s.fail("%.60q after %.60q", e.Name, r.last)
	}
	r.began, r.last = true, e.Name
	return s.err
}

// DecodeTree reads all entries of one piece.
func DecodeTree(piece []byte, self PackID) ([]Entry, error) {
	var r TreeReader
	if err := r.Reset(piece, self); err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, strings.Count(r.scan.text, "\n")-1)
	for {
		entries = append(entries, Entry{})
		err := r.Next(&entries[len(entries)-1])
		if errors.Is(err, io.EOF) {
			return entries[:len(entries)-1], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// table scans the first line of a piece.
func (s *scanner) table(into []PackID, self PackID) []PackID {
	s.literal(`{"packs":`)
	into = s.packs(into, self)
	for s.peek() == ',' {
		s.byte(',')
		s.string()
		s.byte(':')
		s.skip(0)
	}
	s.byte('}')
	s.byte('\n')
	return into
}
