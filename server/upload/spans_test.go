package upload

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSpans compares spans with a plain set.
func TestSpans(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var s spans
	set := make(map[uint32]bool)
	for range 20_000 {
		n := 1 + random.Uint32N(200)
		if random.IntN(5) < 3 {
			s.add(n)
			set[n] = true
		} else {
			s.remove(n)
			delete(set, n)
		}
		var all []uint32
		for i, in := range s.list {
			if in.from > in.to || i > 0 && s.list[i-1].to+1 >= in.from {
				t.Fatalf("spans touch, or are out of order: %v", s.list)
			}
			for n := in.from; n <= in.to; n++ {
				all = append(all, n)
			}
		}
		want := slices.Sorted(maps.Keys(set))
		if !slices.Equal(all, want) || int(s.count) != len(want) {
			t.Fatalf("%v, %d in all; want %v", all, s.count, want)
		}
		if last := s.last(); len(want) > 0 && last != want[len(want)-1] || len(want) == 0 && last != 0 {
			t.Fatalf("last %d of %v", last, want)
		}
	}
}
