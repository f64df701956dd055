package packset_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"coffer/store"
	"coffer/store/packset"
)

func set(t testing.TB, ordinals ...uint32) *packset.Set {
	t.Helper()
	s := new(packset.Set)
	for _, o := range ordinals {
		s.Add(store.FoundPack{Ordinal: o, Size: 10})
	}
	return s
}

// A set is the same after it was encoded, whatever is in it.
func TestEncoded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	scattered := new(packset.Set)
	for range 10_000 {
		scattered.Add(store.FoundPack{Ordinal: 1 + random.Uint32N(1<<20)})
	}
	row := new(packset.Set)
	row.AddOrdinals(1, 655_000)
	for name, one := range map[string]*packset.Set{"empty": set(t), "one": set(t, 1), "last": set(t, 7, math.MaxUint32), "row": row, "scattered": scattered} {
		b, err := one.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := packset.Decode(b)
		if err != nil || !slices.Equal(slices.Collect(got.After(0)), slices.Collect(one.After(0))) || got.Len() != one.Len() {
			t.Errorf("%s: %d packs of %d, error %v", name, got.Len(), one.Len(), err)
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: %d bytes encode to %d, error %v", name, len(b), len(again), err)
		}
		if name == "row" && len(b) > 200 {
			t.Errorf("packs in a row take %d bytes", len(b))
		}
		for _, cut := range []int{1, len(b) / 2, len(b) - 1} {
			if _, err := packset.Decode(b[:cut]); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s, cut to %d of %d bytes: %v", name, cut, len(b), err)
			}
		}
		if _, err := packset.Decode(append(b, 0)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s, with a byte more: %v", name, err)
		}
	}
	if got, err := packset.Decode(nil); err != nil || got.Len() != 0 {
		t.Errorf("no bytes: %v", err)
	}
}

// Whatever the bytes, they are a set or an error.
func FuzzDecode(f *testing.F) {
	for _, one := range []*packset.Set{set(f), set(f, 1, 2, 3, 70_000), set(f, math.MaxUint32)} {
		b, err := one.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := packset.Decode(b)
		if err != nil {
			return
		}
		n, before := int64(0), uint32(0)
		for ordinal := range s.After(0) {
			if ordinal <= before {
				t.Fatalf("%d after %d", ordinal, before)
			}
			n, before = n+1, ordinal
		}
		if n != s.Len() {
			t.Errorf("%d of %d packs", n, s.Len())
		}
		again, err := s.Clone().Encode()
		if err != nil {
			t.Fatal(err)
		}
		same, err := packset.Decode(again)
		if err != nil || !slices.Equal(slices.Collect(same.After(0)), slices.Collect(s.After(0))) {
			t.Errorf("it changes when it is encoded again: %v", err)
		}
	})
}

// Sizes count once for each pack.
func TestBytes(t *testing.T) {
	s := set(t, 1, 2, 2, 3)
	s.Add(store.FoundPack{}) // missing
	s.Remove(store.Pack{Ordinal: 3, Size: 10}, store.Pack{Ordinal: 9, Size: 10}, store.Pack{})
	if s.Len() != 2 || s.Bytes != 20 || s.Has(3) || !s.Has(2) {
		t.Errorf("%d packs of %d bytes", s.Len(), s.Bytes)
	}
	c := s.Clone()
	c.Subtract(set(t, 1))
	c.Union(set(t, 5))
	if got := slices.Collect(c.After(2)); !slices.Equal(got, []uint32{5}) {
		t.Errorf("after 2: %v", got)
	}
	if got := slices.Collect(c.After(math.MaxUint32)); got != nil {
		t.Errorf("after the last: %v", got)
	}
	if c.Overlaps(set(t, 1)) || !c.Overlaps(s) || s.Len() != 2 {
		t.Error("a copy shares something")
	}
	if c.Intersect(s); c.Len() != 1 {
		t.Errorf("%d packs in both", c.Len())
	}
}

// BenchmarkDecode is a set of a million packs of which every fiftieth is
// missing.
func BenchmarkDecode(b *testing.B) {
	s := new(packset.Set)
	s.AddOrdinals(1, 1_000_000)
	for n := uint32(1); n < 1_000_000; n += 50 {
		s.Remove(store.Pack{Ordinal: n})
	}
	encoded, err := s.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(encoded)))
	for b.Loop() {
		if _, err := packset.Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
