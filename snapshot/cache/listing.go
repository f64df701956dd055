package cache

import (
	"encoding/binary"
	"maps"
	"slices"

	"coffer/snapshot"
)

// A Look is what is compared of an entry to notice that it changed.
type Look struct {
	Name         string
	Type         snapshot.Type
	Mode         uint32
	UID, GID     uint32
	Size         uint64
	MTime, CTime snapshot.Time
	Inode        uint64
	Link         bool // it had several names
	// Anew: it is to be read again whatever it looks like, because it was changed
	// while it was read, or so shortly before that a later change may not show.
	Anew bool
}

// LookOf is what is compared of an entry.
func LookOf(e *snapshot.Entry, anew bool) Look {
	return Look{
		Name: e.Name, Type: e.Type, Mode: e.Mode, UID: e.UID, GID: e.GID, Size: e.Size,
		MTime: e.MTime, CTime: e.CTime, Inode: e.Inode, Link: e.Link != "", Anew: anew,
	}
}

// Bits that say which members follow.
const (
	typeBits   = 0x0f
	linkBit    = 0x10
	anewBit    = 0x20
	sameBit    = 0x40 // the times are equal
	unknownBit = 0x80 // the time of change is not known
)

// AppendLook appends an entry to a listing. Entries come sorted by name.
func AppendLook(listing []byte, l *Look) []byte {
	flags := byte(l.Type)
	if l.Link {
		flags |= linkBit
	}
	if l.Anew {
		flags |= anewBit
	}
	switch {
	case !l.CTime.Known:
		flags |= unknownBit
	case l.CTime == l.MTime:
		flags |= sameBit
	}
	listing = append(listing, flags)
	listing = binary.AppendUvarint(listing, uint64(len(l.Name)))
	listing = append(listing, l.Name...)
	for _, n := range [...]uint64{uint64(l.Mode), uint64(l.UID), uint64(l.GID), l.Size, l.Inode} {
		listing = binary.AppendUvarint(listing, n)
	}
	listing = appendTime(listing, l.MTime)
	if flags&(sameBit|unknownBit) == 0 {
		listing = appendTime(listing, l.CTime)
	}
	return listing
}

func appendTime(dst []byte, t snapshot.Time) []byte {
	dst = binary.AppendVarint(dst, t.Sec)
	return binary.AppendUvarint(dst, uint64(t.Nsec))
}

// A Listing reads what a folder held, in the order of names.
type Listing struct {
	d    decoder
	next Look
	name []byte
	more bool
}

// NewListing reads a listing from its beginning.
func NewListing(listing []byte) *Listing {
	l := &Listing{d: decoder{rest: listing}}
	l.Next()
	return l
}

// Peek is the next entry, without its name; nil at the end.
func (l *Listing) Peek() (name []byte, look *Look) {
	if !l.more {
		return nil, nil
	}
	return l.name, &l.next
}

// Damaged reports whether the listing ended too early.
func (l *Listing) Damaged() bool { return l.d.bad }

// Next goes on to the entry after the next one.
func (l *Listing) Next() {
	l.more = len(l.d.rest) > 0 && !l.d.bad
	if !l.more {
		return
	}
	flags := l.d.byte()
	l.name = l.d.bytes()
	l.next = Look{
		Type: snapshot.Type(flags & typeBits), Link: flags&linkBit != 0, Anew: flags&anewBit != 0,
		Mode: uint32(l.d.uint()), UID: uint32(l.d.uint()), GID: uint32(l.d.uint()), Size: l.d.uint(), Inode: l.d.uint(),
		MTime: l.d.time(),
	}
	switch {
	case flags&sameBit != 0:
		l.next.CTime = l.next.MTime
	case flags&unknownBit == 0:
		l.next.CTime = l.d.time()
	}
	l.more = !l.d.bad
}

// decoder reads what was appended; after the first error it gives nothing.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) fail() { d.rest, d.bad = nil, true }

func (d *decoder) ended() bool { return !d.bad && len(d.rest) == 0 }

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) time() snapshot.Time {
	sec, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return snapshot.Time{}
	}
	d.rest = d.rest[n:]
	return snapshot.Unix(sec, uint32(d.uint()))
}

// count is a number of things that follow, of a byte each at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.count()
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) numbers() []Number {
	numbers := make([]Number, d.count())
	last := uint64(0)
	for i := range numbers {
		last += d.uint()
		numbers[i] = Number(last)
	}
	return numbers
}

// appendNumbers appends numbers that ascend.
func appendNumbers(dst []byte, numbers []Number) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(numbers)))
	last := Number(0)
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, uint64(n-last))
		last = n
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
