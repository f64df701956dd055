// Package packset is a set of a client's packs, by their ordinals: a roaring
// bitmap, which takes a few bytes for packs that were stored in a row, and at
// most two for each. Storage keeps one for each snapshot. It knows no storage.
package packset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/RoaringBitmap/roaring/v2"

	"coffer/store"
)

// A Set is a set of packs. The zero Set is empty and ready to use.
type Set struct {
	bits  roaring.Bitmap
	Bytes int64 // sealed bytes of the packs, as Add and Remove count them
}

// Add adds packs that were found. Missing ones are passed over.
func (s *Set) Add(found ...store.FoundPack) {
	for _, p := range found {
		if p.Ordinal != 0 && s.bits.CheckedAdd(p.Ordinal) {
			s.Bytes += p.Size
		}
	}
}

// Remove removes packs. Packs that are not in the set are passed over.
func (s *Set) Remove(packs ...store.Pack) {
	for _, p := range packs {
		if p.Ordinal != 0 && s.bits.CheckedRemove(p.Ordinal) {
			s.Bytes -= p.Size
		}
	}
}

// AddOrdinals adds ordinals from the first to the last, without their sizes.
func (s *Set) AddOrdinals(first, last uint32) {
	s.bits.AddRange(uint64(first), uint64(last)+1)
}

// Union adds all packs of another set, without their sizes.
func (s *Set) Union(other *Set) { s.bits.Or(&other.bits) }

// Subtract removes all packs of another set, without their sizes.
func (s *Set) Subtract(other *Set) { s.bits.AndNot(&other.bits) }

// Intersect removes all packs that another set has not, without their sizes.
func (s *Set) Intersect(other *Set) { s.bits.And(&other.bits) }

// Overlaps reports whether a pack is in both sets.
func (s *Set) Overlaps(other *Set) bool { return s.bits.Intersects(&other.bits) }

// Clone is a copy that shares nothing with the set.
func (s *Set) Clone() *Set {
	return &Set{bits: *s.bits.Clone(), Bytes: s.Bytes}
}

// Has reports whether a pack is in the set.
func (s *Set) Has(ordinal uint32) bool { return s.bits.Contains(ordinal) }

// Max is the highest ordinal, 0 if there is none.
func (s *Set) Max() uint32 {
	if s.bits.IsEmpty() {
		return 0
	}
	return s.bits.Maximum()
}

// Len is how many packs there are.
func (s *Set) Len() int64 { return int64(s.bits.GetCardinality()) }

// After are the ordinals above one, in order; After(0) are all.
func (s *Set) After(ordinal uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if ordinal == math.MaxUint32 {
			return
		}
		it := s.bits.Iterator()
		for it.AdvanceIfNeeded(ordinal + 1); it.HasNext(); {
			if !yield(it.Next()) {
				return
			}
		}
	}
}

// Encode is the set in roaring's portable format, for which there are readers
// in many languages. It does not say how large the packs are.
func (s *Set) Encode() ([]byte, error) {
	s.bits.RunOptimize()
	b, err := s.bits.ToBytes()
	if err != nil {
		return nil, fmt.Errorf("encode a set of packs: %w", err)
	}
	return b, nil
}

// Decode reads what Encode has written, and nothing else; ErrDamaged if
// it cannot. No bytes are the empty set.
func Decode(b []byte) (*Set, error) {
	s := new(Set)
	if len(b) == 0 {
		return s, nil
	}
	n, err := s.bits.ReadFrom(bytes.NewReader(b))
	if err == nil && n != int64(len(b)) {
		err = errors.New("it does not end where it should")
	}
	if err == nil {
		err = s.check(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a set of packs: %w", store.ErrDamaged, err)
	}
	return s, nil
}

// check reports whether what was decoded from b is a set: in order, without
// overlaps or empty parts, and of as many packs as it says. roaring's own
// Validate compares each run with each other one, which takes seconds for
// millions of packs with gaps.
func (s *Set) check(b []byte) error {
	n, parts, last := uint64(0), uint32(0), int64(-1)
	for first, end := range s.bits.Ranges() {
		n += end - uint64(first)
		from, to := int64(first>>16), int64((end-1)>>16)
		parts += uint32(to - max(from, last+1) + 1)
		last = to
	}
	if n != s.bits.GetCardinality() || parts != partsOf(b) {
		return errors.New("it does not have as many packs as it says")
	}
	for first, end := range s.bits.Ranges() {
		for at := uint64(first); at < end; at = (at | 0xffff) + 1 { // once for each part
			if !s.bits.Contains(uint32(at)) {
				return errors.New("it is not in order")
			}
		}
		if !s.bits.Contains(uint32(end - 1)) {
			return errors.New("it is not in order")
		}
	}
	if s.bits.Contains(0) {
		return errors.New("no pack has the ordinal 0")
	}
	return nil
}

// partsOf is how many parts, of 65,536 ordinals each, the head of a set says it
// has.
func partsOf(b []byte) uint32 {
	const withRuns = 12347 // in the lower half of the first four bytes, the parts less one in the upper
	head := binary.LittleEndian.Uint32(b)
	if head&0xffff == withRuns {
		return head>>16 + 1
	}
	return binary.LittleEndian.Uint32(b[4:])
}
