package upload

import (
	"fmt"
	"sync"

	"coffer/store"
)

// How many packets may wait for their turn: of one account, as many as a file
// of the base protocol can have; and in all, some 50 MB of what is kept of
// them in memory. An upload's first few are always let in, so that a flood
// elsewhere delays nobody who sends several packets at once.
const (
	maxWaitingOfAccount = 1 << 16
	maxWaiting          = 1 << 18
	waitingAnyway       = 64
)

// spooled are the packets of one upload that wait for their turn.
type spooled struct {
	rooms  *waitingRooms
	client store.ClientID

	at    map[uint32]region
	order spans
	bytes int64
}

func (w *spooled) has(number uint32) bool {
	_, there := w.at[number]
	return there
}

func (w *spooled) put(number uint32, where region) {
	if old, there := w.at[number]; there {
		w.bytes -= old.size
	} else {
		w.rooms.count(w.client, 1)
		w.order.add(number)
	}
	if w.at == nil {
		w.at = make(map[uint32]region)
	}
	w.at[number] = where
	w.bytes += where.size
}

func (w *spooled) drop(number uint32) {
	old, there := w.at[number]
	if !there {
		return
	}
	delete(w.at, number)
	w.order.remove(number)
	w.bytes -= old.size
	w.rooms.count(w.client, -1)
}

// clear forgets them all.
func (w *spooled) clear() {
	w.rooms.count(w.client, -len(w.at))
	w.at, w.order, w.bytes = nil, spans{}, 0
}

// full is an error if no further packet may wait.
func (w *spooled) full() error {
	if len(w.at) < waitingAnyway {
		return nil
	}
	return w.rooms.full(w.client)
}

// waitingRooms counts the packets that wait, in all and of each client.
type waitingRooms struct {
	mu    sync.Mutex // taken last
	total int
	of    map[store.ClientID]int
}

func newWaitingRooms() *waitingRooms { return &waitingRooms{of: make(map[store.ClientID]int)} }

func (r *waitingRooms) count(client store.ClientID, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += n
	if r.of[client] += n; r.of[client] == 0 {
		delete(r.of, client)
	}
}

func (r *waitingRooms) full(client store.ClientID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.of[client] >= maxWaitingOfAccount:
		return refuse(TooMany, fmt.Sprintf("%d packets of this account wait for others: send the missing ones first", r.of[client]))
	case r.total >= maxWaiting:
		return refuse(TooMany, "too many packets wait for others: send the missing ones first")
	}
	return nil
}
