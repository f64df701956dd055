package upload

import "slices"

// A span is packets of consecutive numbers.
type span struct{ from, to uint32 }

// spans are the numbers of the packets that wait for their turn, as few spans
// as there can be, in order. What it takes to find one or add one does not
// grow with how many packets wait, and with the gaps between them by halving
// alone.
type spans struct {
	list  []span
	count uint32
}

// find is where a number is, or would have to be.
func (s *spans) find(n uint32) (i int, there bool) {
	i, there = slices.BinarySearchFunc(s.list, n, func(s span, n uint32) int {
		switch {
		case s.to < n:
			return -1
		case s.from > n:
			return 1
		}
		return 0
	})
	return i, there
}

// add adds a number, unless it is there.
func (s *spans) add(n uint32) {
	i, there := s.find(n)
	if there {
		return
	}
	s.count++
	before := i > 0 && s.list[i-1].to+1 == n
	after := i < len(s.list) && s.list[i].from-1 == n
	switch {
	case before && after:
		s.list[i-1].to = s.list[i].to
		s.list = slices.Delete(s.list, i, i+1)
	case before:
		s.list[i-1].to = n
	case after:
		s.list[i].from = n
	default:
		s.list = slices.Insert(s.list, i, span{n, n})
	}
}

// remove takes a number out, if it is there.
func (s *spans) remove(n uint32) {
	i, there := s.find(n)
	if !there {
		return
	}
	s.count--
	switch in := s.list[i]; {
	case in.from == in.to:
		s.list = slices.Delete(s.list, i, i+1)
	case in.from == n:
		s.list[i].from++
	case in.to == n:
		s.list[i].to--
	default:
		s.list[i].to = n - 1
		s.list = slices.Insert(s.list, i+1, span{n + 1, in.to})
	}
}

// last is the highest number, 0 if there is none.
func (s *spans) last() uint32 {
	if len(s.list) == 0 {
		return 0
	}
	return s.list[len(s.list)-1].to
}
