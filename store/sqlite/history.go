package sqlite

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"

	"coffer/store"
)

// A sort is what activities are counted by: no client's flood of one kind
// pushes out what another did, nor its own of another kind or outcome. What is
// not of settled clients is counted by network instead.
type sort struct {
	standing standing
	client   store.ClientID
	network  netip.Prefix
	kind     store.ActivityKind
	outcome  store.Outcome
}

// A mark is what is kept in mind of an activity beside its sort.
type mark struct {
	id     int64
	client store.ClientID
}

// A noted is one activity of a history.
type noted struct {
	sort sort
	mark
}

// A pile is the activities of one sort, the oldest first.
type pile struct {
	sort sort
	all  []mark
	at   int // in the heap
}

// find is where an activity is, or would be.
func (p *pile) find(id int64) int {
	at, _ := slices.BinarySearchFunc(p.all, id, func(e mark, id int64) int { return cmp.Compare(e.id, id) })
	return at
}

// A history knows which activities there are. When they are too many, the
// standings that have more than their share give way, the least one first, and
// of a standing the oldest of its largest pile: who makes most has least left
// of it.
type history struct {
	known  func(store.ClientID) (acquaintance, bool)
	met    map[store.ClientID]*member
	piles  [standings]piles
	counts [standings]int
	of     map[sort]*pile
}

// A member is a client that has activities in a history.
type member struct {
	acquaintance
	standing standing
	count    int
}

func newHistory(known func(store.ClientID) (acquaintance, bool)) *history {
	return &history{known: known, met: make(map[store.ClientID]*member), of: make(map[sort]*pile)}
}

func (h *history) count() (n int) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// meet learns from an activity that is to be added who its client is. If the
// client's standing has grown, so has that of what it did before.
func (h *history) meet(a *store.Activity) {
	if a.Client == (store.ClientID{}) {
		return
	}
	m := h.met[a.Client]
	if m == nil {
		m = &member{standing: stranger}
		h.met[a.Client] = m
	}
	if known, ok := h.known(a.Client); ok {
		m.since, m.stored = known.since, m.stored || known.stored
	}
	m.acquaintance = m.learn(a)
	if now := m.of(stamp(a.At)); now > m.standing {
		before := m.standing
		m.standing = now
		if m.count > 0 {
			h.raise(a.Client, before)
		}
	}
}

// raise moves what a client did from a standing to the one that it has now.
func (h *history) raise(client store.ClientID, from standing) {
	for _, p := range slices.Clone(h.piles[from]) {
		var moved []mark
		if p.sort.kind == store.ActivitySignIn && p.sort.outcome == store.OutcomeFailed {
			continue // these say who is named, not who it was
		}
		p.all = slices.DeleteFunc(p.all, func(e mark) bool {
			if e.client == client {
				moved = append(moved, e)
			}
			return e.client == client
		})
		if len(moved) == 0 {
			continue
		}
		h.resized(p, -len(moved))
		to := p.sort
		if to.standing = h.met[client].standing; to.standing == settled {
			to.client, to.network = client, netip.Prefix{}
		}
		for _, e := range moved {
			h.put(noted{to, e})
		}
	}
}

// sortOf is the sort of an activity whose client was met.
func (h *history) sortOf(a *store.Activity) sort {
	s := sort{standing: settled, kind: a.Kind, outcome: a.Outcome}
	if m := h.met[a.Client]; m != nil {
		s.standing = m.standing
	}
	if s.standing == settled && a.Kind == store.ActivitySignIn && a.Outcome == store.OutcomeFailed {
		s.standing = anybody
	}
	if s.standing == settled {
		s.client = a.Client
	} else {
		s.network = networkOf(a.Address)
	}
	return s
}

// add adds an activity whose client was met.
func (h *history) add(a *store.Activity) noted {
	e := noted{h.sortOf(a), mark{a.ID, a.Client}}
	h.put(e)
	if m := h.met[a.Client]; m != nil {
		m.count++
	}
	return e
}

// put puts an activity where it belongs by its age.
func (h *history) put(e noted) {
	p := h.of[e.sort]
	if p == nil {
		p = &pile{sort: e.sort, at: -1}
		h.of[e.sort] = p
	}
	p.all = slices.Insert(p.all, p.find(e.id), e.mark)
	h.resized(p, 1)
}

// take takes an activity out.
func (h *history) take(e noted) {
	p := h.of[e.sort]
	at := p.find(e.id)
	if at == 0 {
		p.all = p.all[1:]
	} else {
		p.all = slices.Delete(p.all, at, at+1)
	}
	h.resized(p, -1)
	h.left(e.client)
}

// left notes that an activity of a client went.
func (h *history) left(client store.ClientID) {
	m := h.met[client]
	if m == nil {
		return
	}
	if m.count--; m.count == 0 {
		delete(h.met, client)
	}
}

// drop takes out what is too much.
func (h *history) drop(keep int) (dropped []noted) {
	for excess := h.count() - keep; excess > 0; excess-- {
		p := h.fullest(keep)
		e := noted{p.sort, p.all[0]}
		dropped = append(dropped, e)
		h.take(e)
	}
	return dropped
}

// fullest is the pile that gives way first.
func (h *history) fullest(keep int) *pile {
	for s := range standings {
		if h.counts[s] > s.share(keep) {
			return h.piles[s][0]
		}
	}
	for s := settled; s > 0; s-- {
		if h.counts[s] > 0 {
			return h.piles[s][0]
		}
	}
	return h.piles[anybody][0]
}

// undo takes back a drop and the adds before it.
func (h *history) undo(added, dropped []noted) {
	for _, e := range slices.Backward(dropped) {
		h.put(e)
		if e.client != (store.ClientID{}) {
			if h.met[e.client] == nil {
				h.met[e.client] = &member{standing: max(stranger, e.sort.standing)}
			}
			h.met[e.client].count++
		}
	}
	for _, e := range slices.Backward(added) {
		h.take(e)
	}
}

// resized sets a pile right among those of its standing after it grew by so
// many.
func (h *history) resized(p *pile, by int) {
	s := p.sort.standing
	h.counts[s] += by
	switch {
	case len(p.all) == 0:
		heap.Remove(&h.piles[s], p.at)
		delete(h.of, p.sort)
	case p.at < 0:
		heap.Push(&h.piles[s], p)
	default:
		heap.Fix(&h.piles[s], p.at)
	}
}

// piles is a heap, the largest first, and of those alike the one that begins
// earliest.
type piles []*pile

func (p piles) Len() int { return len(p) }

func (p piles) Less(i, j int) bool {
	if len(p[i].all) != len(p[j].all) {
		return len(p[i].all) > len(p[j].all)
	}
	return len(p[i].all) > 0 && p[i].all[0].id < p[j].all[0].id
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

// thin drops some of what waits to be written, the oldest of the sorts that there
// are most of.
func (n *notes) thin(waiting []store.Activity, by int) []store.Activity {
	h := newHistory(n.known)
	for i := range waiting {
		h.meet(&waiting[i])
	}
	for i := range waiting {
		h.add(&waiting[i])
	}
	gone := make(map[int64]bool, by)
	for _, e := range h.drop(len(waiting) - by) {
		gone[e.id] = true
	}
	return slices.DeleteFunc(waiting, func(a store.Activity) bool { return gone[a.ID] })
}
