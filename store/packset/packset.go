// Package packset is a set of a client's packs, by their ordinals: a roaring
// bitmap, which takes a few bytes for packs that were stored in a row, and at
// most two for each. Storage keeps one for each snapshot. It knows no storage.
package packset

import (
	"bytes"
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

// Add adds packs that were found. Those that are missing are passed over.
func (s *Set) Add(found ...store.FoundPack) {
	for _, p := range found {
		if p.Ordinal != 0 && s.bits.CheckedAdd(p.Ordinal) {
			s.Bytes += p.Size
		}
	}
}

// Remove removes packs. Those that are not in the set are passed over.
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
		err = s.bits.Validate()
	}
	if err == nil && s.bits.Contains(0) {
		err = errors.New("no pack has the ordinal 0")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a set of packs: %w", store.ErrDamaged, err)
	}
	return s, nil
}
