package snapshot

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A ContentWriter makes the Content of one file of its places, in order. As
// many as an entry may hold it returns as they are; more go into list pieces,
// and many list pieces into lists of their own.
type ContentWriter struct {
	emit   func(piece []byte) (Place, error)
	levels []listLevel
}

// A listLevel is what has been added on one level and is in no piece yet.
type listLevel struct {
	places []Place
	lists  bool // pieces have been emitted: what is left goes into one as well
	packs  packTable
	lines  []byte
	covers uint64
}

// NewContentWriter returns a writer that calls emit for each list piece, which
// returns where it was put; the piece is valid until emit returns.
func NewContentWriter(emit func(piece []byte) (Place, error)) *ContentWriter {
	return &ContentWriter{emit: emit}
}

// Add adds the place of the next chunk of content.
func (w *ContentWriter) Add(p Place) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("add to a list of places: %w", err)
	}
	p.Covers = 0
	return w.add(0, p)
}

func (w *ContentWriter) add(depth int, p Place) error {
	if depth == len(w.levels) {
		if depth > MaxLists {
			return fmt.Errorf("add to a list of places: %w", ErrTooLarge)
		}
		w.levels = append(w.levels, listLevel{})
	}
	level := &w.levels[depth]
	if level.lists {
		return w.line(depth, &p)
	}
	if level.places = append(level.places, p); len(level.places) <= MaxPlaces {
		return nil
	}
	places := level.places
	level.lists, level.places = true, nil
	for i := range places {
		if err := w.line(depth, &places[i]); err != nil {
			return err
		}
	}
	return nil
}

// line adds a place to the level's piece, which it emits when it ends there.
func (w *ContentWriter) line(depth int, p *Place) error {
	level := &w.levels[depth]
	level.lines = append(appendPlace(level.lines, p, &level.packs), '\n')
	level.covers += p.Bytes()
	// The id is a keyed hash already.
	cuts := binary.BigEndian.Uint64(p.ID[:8])%cutPlaces == 0
	if len(level.lines) >= maxPiece || len(level.lines) >= minPiece && cuts {
		return w.flush(depth)
	}
	return nil
}

func (w *ContentWriter) flush(depth int) error {
	level := &w.levels[depth]
	piece := append(level.packs.appendTable(nil), level.lines...)
	covers := level.covers
	level.lines, level.covers = level.lines[:0], 0
	level.packs.reset()
	p, err := w.emit(piece)
	if err != nil {
		return err
	}
	p.Covers = covers
	return w.add(depth+1, p)
}

// Close returns the content, and how many levels of list pieces are between it
// and the file's bytes. The writer can begin another file then.
func (w *ContentWriter) Close() (content []Place, depth int, err error) {
	defer func() { w.levels = w.levels[:0] }()
	for depth = 0; depth < len(w.levels); depth++ {
		level := &w.levels[depth]
		if !level.lists {
			return level.places, depth, nil
		}
		if len(level.lines) > 0 {
			if err := w.flush(depth); err != nil {
				return nil, 0, err
			}
		}
	}
	return nil, 0, nil
}

// DecodeList reads the places of one list piece. Those of a piece whose depth
// is 1 are content; of a deeper one, of list pieces of one level less. Places
// in the piece's own pack name self.
func DecodeList(piece []byte, self PackID, depth int) ([]Place, error) {
	if len(piece) > MaxChunk {
		return nil, malformed("a list piece of %d bytes", len(piece))
	}
	s := scanner{text: string(piece)}
	packs := s.table(nil, self)
	if s.err != nil {
		return nil, s.err
	}
	places := make([]Place, 0, strings.Count(s.text, "\n")-1)
	for s.err == nil && s.at < len(s.text) {
		p := s.place(packs)
		s.byte('\n')
		if (p.Covers != 0) != (depth > 1) {
			s.fail("a place on another level than its list")
		}
		places = append(places, p)
	}
	if s.err == nil && len(places) == 0 {
		s.fail("an empty list of places")
	}
	if s.err != nil {
		return nil, s.err
	}
	return places, nil
}

// WalkContent visits the places of a file's content in order, from the one that
// holds the byte at from, with where each begins; holes are not counted. It
// calls fetch for the plaintext of a list piece, and the pack it came from.
func WalkContent(e *Entry, from uint64, fetch func(Place) ([]byte, PackID, error), visit func(p Place, begin uint64) error) error {
	return walkContent(e.Content, e.Depth, 0, from, fetch, visit)
}

func walkContent(places []Place, depth int, begin, from uint64, fetch func(Place) ([]byte, PackID, error), visit func(Place, uint64) error) error {
	for i := range places {
		p := places[i]
		end := begin + p.Bytes()
		if end > from {
			if err := walkPlace(p, depth, begin, from, fetch, visit); err != nil {
				return err
			}
		}
		begin = end
	}
	return nil
}

// walkPlace visits one place, or all below it.
func walkPlace(p Place, depth int, begin, from uint64, fetch func(Place) ([]byte, PackID, error), visit func(Place, uint64) error) error {
	if depth == 0 {
		return visit(p, begin)
	}
	piece, self, err := fetch(p)
	if err != nil {
		return err
	}
	below, err := DecodeList(piece, self, depth)
	if err != nil {
		return err
	}
	var covers uint64
	for i := range below {
		if covers += below[i].Bytes(); covers > p.Covers {
			break
		}
	}
	if covers != p.Covers {
		return malformed("a list piece that covers other content than its place says")
	}
	return walkContent(below, depth-1, begin, from, fetch, visit)
}
