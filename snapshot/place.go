package snapshot

import "strconv"

// A Place says where a chunk lies, and which one it is. Offset and Length are
// those of its frame in the plaintext of the pack.
type Place struct {
	Pack   PackID // zero: the pack that holds the place itself
	Offset uint32
	Length uint32
	Size   uint32 // of the chunk's plaintext
	ID     ChunkID
	// Covers is how many bytes of content the places below a list piece hold
	// together; 0 for a place of content.
	Covers uint64
}

// Bytes is how much content of a file the place stands for.
func (p *Place) Bytes() uint64 {
	if p.Covers != 0 {
		return p.Covers
	}
	return uint64(p.Size)
}

// check refuses a place that no writer makes.
func (p *Place) check() error {
	switch {
	case p.Size == 0 || p.Size > MaxChunk:
		return malformed("a chunk of %d bytes", p.Size)
	case p.Length == 0 || p.Length > MaxFrame:
		return malformed("a frame of %d bytes", p.Length)
	case uint64(p.Offset)+uint64(p.Length) > MaxPackContent:
		return malformed("a frame that ends at %d", uint64(p.Offset)+uint64(p.Length))
	}
	return nil
}

// appendPlace appends [pack,offset,length,size,"id"], and what it covers if it
// is a list piece's.
func appendPlace(dst []byte, p *Place, packs *packTable) []byte {
	dst = append(dst, '[')
	dst = strconv.AppendUint(dst, uint64(packs.index(p.Pack)), 10)
	dst = append(dst, ',')
	dst = strconv.AppendUint(dst, uint64(p.Offset), 10)
	dst = append(dst, ',')
	dst = strconv.AppendUint(dst, uint64(p.Length), 10)
	dst = append(dst, ',')
	dst = strconv.AppendUint(dst, uint64(p.Size), 10)
	dst = append(dst, ',', '"')
	dst = ids.AppendEncode(dst, p.ID[:])
	dst = append(dst, '"')
	if p.Covers != 0 {
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, p.Covers, 10)
	}
	return append(dst, ']')
}

// appendPlaces appends a list of places.
func appendPlaces(dst []byte, places []Place, packs *packTable) []byte {
	dst = append(dst, '[')
	for i := range places {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendPlace(dst, &places[i], packs)
	}
	return append(dst, ']')
}

// A packTable numbers the packs that a piece quotes, in the order in which they
// first come.
type packTable struct {
	ids    []PackID
	number map[PackID]int
	last   int // the one asked for before: neighbours mostly lie in one pack
}

// smallTable is up to how many packs a table is searched, rather than a map.
const smallTable = 8

func (t *packTable) reset() {
	t.ids, t.last = t.ids[:0], 0
	clear(t.number)
}

// index is the number of a pack, which it gives it if it has none.
func (t *packTable) index(id PackID) int {
	if t.last < len(t.ids) && t.ids[t.last] == id {
		return t.last
	}
	t.last = t.find(id)
	if t.last < 0 {
		t.last = t.add(id)
	}
	return t.last
}

func (t *packTable) find(id PackID) int {
	if len(t.ids) > smallTable {
		if i, found := t.number[id]; found {
			return i
		}
		return -1
	}
	for i := range t.ids {
		if t.ids[i] == id {
			return i
		}
	}
	return -1
}

func (t *packTable) add(id PackID) int {
	t.ids = append(t.ids, id)
	if t.number == nil {
		t.number = make(map[PackID]int)
	}
	if len(t.ids) == smallTable+1 {
		for i, known := range t.ids {
			t.number[known] = i
		}
	} else if len(t.ids) > smallTable+1 {
		t.number[id] = len(t.ids) - 1
	}
	return len(t.ids) - 1
}

// appendTable appends the first line of a piece.
func (t *packTable) appendTable(dst []byte) []byte {
	dst = append(dst, `{"packs":`...)
	dst = t.appendIDs(dst)
	return append(dst, '}', '\n')
}

// appendIDs appends the array of ids; the pack itself is an empty string.
func (t *packTable) appendIDs(dst []byte) []byte {
	dst = append(dst, '[')
	for i, id := range t.ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		if id != (PackID{}) {
			dst = ids.AppendEncode(dst, id[:])
		}
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

// packs scans the array of ids; self stands for an empty string.
func (s *scanner) packs(into []PackID, self PackID) []PackID {
	s.byte('[')
	for first := true; s.more(']', first); first = false {
		text := s.rawString()
		if text == "" {
			into = append(into, self)
			continue
		}
		var id PackID
		s.id(id[:], text)
		into = append(into, id)
	}
	return into
}

// place scans one place.
func (s *scanner) place(packs []PackID) (p Place) {
	s.byte('[')
	pack := s.uint(1<<32 - 1)
	s.byte(',')
	p.Offset = uint32(s.uint(MaxPackContent))
	s.byte(',')
	p.Length = uint32(s.uint(MaxFrame))
	s.byte(',')
	p.Size = uint32(s.uint(MaxChunk))
	s.byte(',')
	s.id(p.ID[:], s.rawString())
	if s.peek() == ',' {
		s.byte(',')
		if p.Covers = s.uint(maxContent); p.Covers == 0 {
			s.fail("a list piece that covers nothing")
		}
	}
	s.byte(']')
	if pack >= uint64(len(packs)) {
		s.fail("a place in pack %d of %d", pack, len(packs))
		return Place{}
	}
	p.Pack = packs[pack]
	if err := p.check(); err != nil {
		s.failed(err)
	}
	return p
}

// truncate forgets the packs that came after the first n.
func (t *packTable) truncate(n int) {
	for _, id := range t.ids[n:] {
		delete(t.number, id)
	}
	t.ids, t.last = t.ids[:n], 0
}
