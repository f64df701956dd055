package take

import (
	"math/bits"

	"coffer/snapshot/cache"
)

// numbers are a set of packs.
type numbers struct{ words []uint64 }

func (s *numbers) add(n cache.Number) {
	word := int(n / 64)
	for len(s.words) <= word {
		s.words = append(s.words, make([]uint64, max(word+1-len(s.words), 1))...)
	}
	s.words[word] |= 1 << (n % 64)
}

func (s *numbers) addAll(list []cache.Number) {
	for _, n := range list {
		s.add(n)
	}
}

// numbers are those in the set, ascending.
func (s *numbers) numbers() []cache.Number {
	var list []cache.Number
	for i, word := range s.words {
		for ; word != 0; word &= word - 1 {
			list = append(list, cache.Number(64*i+bits.TrailingZeros64(word)))
		}
	}
	return list
}
