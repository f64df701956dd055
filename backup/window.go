package backup

import (
	"errors"
	"sync"

	"coffer/protocol"
)

// errRestart: the server misses packets that are no longer at hand.
var errRestart = errors.New("the server asks for packets that are no longer in memory")

// window holds the packets sent last: all that were not acknowledged and some
// that were, should the server turn out to have lost them.
type window struct {
	keep int           // acknowledged packets that are kept
	free chan<- []byte // where the buffers of others go; has room for all

	mu      sync.Mutex
	packets []*packet // by number, without gaps
	highest uint32    // the number sent last
	ended   bool      // that was the last packet
}

// add takes a packet that is about to be sent for the first time.
func (w *window) add(p *packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets = append(w.packets, p)
	w.highest, w.ended = p.number, p.last
}

// ack notes that the server has the packet and lets go of the oldest.
func (w *window) ack(p *packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.acked = true
	w.trimLocked()
}

// trimLocked drops the oldest acknowledged packets before the first
// unacknowledged one, except the last few.
func (w *window) trimLocked() {
	acked := 0
	for acked < len(w.packets) && w.packets[acked].acked {
		acked++
	}
	gone := max(acked-w.keep, 0)
	for _, p := range w.packets[:gone] {
		w.free <- p.data
	}
	w.packets = append(w.packets[:0], w.packets[gone:]...)
}

// everythingSent reports whether the last packet was sent.
func (w *window) everythingSent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// missing returns the packets that were sent and that the server, by its
// state, does not have. It fails with errRestart if some are gone.
func (w *window) missing(state *protocol.UploadState) ([]*packet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state.Complete {
		return nil, nil
	}
	gone := w.highest - uint32(len(w.packets)) // the highest number not at hand
	// While the total is unknown, the server reports missing packets only below
	// the highest one that it has.
	top := uint64(state.Received) + uint64(state.MissingCount)
	if state.Total == 0 && top < uint64(gone) {
		return nil, errRestart
	}
	var listed uint64
	for _, r := range state.Missing {
		if r.To < r.From || r.From <= gone {
			return nil, errRestart
		}
		listed += uint64(r.To-r.From) + 1
	}
	if listed != uint64(state.MissingCount) {
		return nil, errRestart // more holes than an answer lists
	}
	var todo []*packet
	for _, p := range w.packets {
		p.acked = !lacks(state, p.number, top)
		if !p.acked {
			todo = append(todo, p)
		}
	}
	w.trimLocked()
	return todo, nil
}

func lacks(state *protocol.UploadState, number uint32, top uint64) bool {
	if state.Total == 0 && uint64(number) > top {
		return true
	}
	for _, r := range state.Missing {
		if r.From <= number && number <= r.To {
			return true
		}
	}
	return false
}
