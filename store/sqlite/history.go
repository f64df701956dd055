package sqlite

import (
	"container/heap"
	"slices"

	"coffer/store"
)

// A sort is what activities are counted by: no client's flood of one kind
// pushes out what another did, nor its own of another kind or outcome.
type sort struct {
	client  store.ClientID
	kind    store.ActivityKind
	outcome store.Outcome
}

func sortOf(a *store.Activity) sort { return sort{a.Client, a.Kind, a.Outcome} }

// A pile is the activities of one sort in the file, by their IDs, the oldest
// first.
type pile struct {
	sort sort
	ids  []int64
	at   int // in the heap
}

// A history knows which activities the file has. When there are too many, the
// oldest of the largest pile go: who makes most has least left of it.
type history struct {
	piles piles
	of    map[sort]*pile
	count int
}

func newHistory() *history { return &history{of: make(map[sort]*pile)} }

func (h *history) add(s sort, id int64) {
	p := h.of[s]
	if p == nil {
		p = &pile{sort: s}
		h.of[s] = p
		p.ids = append(p.ids, id)
		heap.Push(&h.piles, p)
	} else {
		p.ids = append(p.ids, id)
		heap.Fix(&h.piles, p.at)
	}
	h.count++
}

// drop takes out what is too much.
func (h *history) drop(keep int) (dropped []noted) {
	for h.count > keep {
		p := h.piles[0]
		dropped = append(dropped, noted{p.sort, p.ids[0]})
		p.ids = p.ids[1:]
		h.shrunk(p)
	}
	return dropped
}

// A noted is one activity of a history.
type noted struct {
	sort sort
	id   int64
}

// undo takes back a drop and the adds before it.
func (h *history) undo(added, dropped []noted) {
	for _, e := range slices.Backward(dropped) {
		p := h.of[e.sort]
		if p == nil {
			h.add(e.sort, e.id)
			continue
		}
		p.ids = slices.Insert(p.ids, 0, e.id)
		heap.Fix(&h.piles, p.at)
		h.count++
	}
	for _, e := range slices.Backward(added) {
		p := h.of[e.sort]
		p.ids = p.ids[:len(p.ids)-1]
		h.shrunk(p)
	}
}

func (h *history) shrunk(p *pile) {
	h.count--
	if len(p.ids) > 0 {
		heap.Fix(&h.piles, p.at)
		return
	}
	heap.Remove(&h.piles, p.at)
	delete(h.of, p.sort)
}

// piles is a heap, the largest first, and of those alike the one that begins
// earliest.
type piles []*pile

func (p piles) Len() int { return len(p) }

func (p piles) Less(i, j int) bool {
	if len(p[i].ids) != len(p[j].ids) {
		return len(p[i].ids) > len(p[j].ids)
	}
	return len(p[i].ids) > 0 && p[i].ids[0] < p[j].ids[0]
}

func (p piles) Swap(i, j int) {
	p[i], p[j] = p[j], p[i]
	p[i].at, p[j].at = i, j
}

// Push implements heap.Interface.
func (p *piles) Push(x any) {
	one := x.(*pile)
	one.at = len(*p)
	*p = append(*p, one)
}

// Pop implements heap.Interface.
func (p *piles) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// thin drops n of what waits to be written, the oldest of the sorts that there
// are most of.
func thin(waiting []store.Activity, n int) []store.Activity {
	h := newHistory()
	for i := range waiting {
		h.add(sortOf(&waiting[i]), waiting[i].ID)
	}
	gone := make(map[int64]bool, n)
	for _, e := range h.drop(len(waiting) - n) {
		gone[e.id] = true
	}
	return slices.DeleteFunc(waiting, func(a store.Activity) bool { return gone[a.ID] })
}
