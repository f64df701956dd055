package server

import (
	"context"
	"fmt"

	"coffer/protocol"
	"coffer/store"
)

// Unfinished uploads are bounded in all and by address, beside what an account
// or a connection may have. When there is no more room, one makes some for
// whoever comes: of the address that holds the most, the one that has stood
// still for longest. So nobody keeps others from beginning, and who holds little
// loses nothing by a flood.

// A holding is the uploads that one network began.
type holding struct {
	proven   map[*upload]struct{}
	unproven map[*upload]struct{} // by base requests, which an id and a name are enough for
}

func newHolding() *holding {
	return &holding{proven: make(map[*upload]struct{}), unproven: make(map[*upload]struct{})}
}

func (h *holding) len() int { return len(h.proven) + len(h.unproven) }

// of is those of the holding that are proven, or are not.
func (h *holding) of(proven bool) map[*upload]struct{} {
	switch {
	case h == nil:
		return nil
	case proven:
		return h.proven
	}
	return h.unproven
}

// holdLocked counts an upload for whoever holds it.
func (us *uploads) holdLocked(u *upload) {
	if us.held[u.holder] == nil {
		us.held[u.holder] = newHolding()
	}
	us.held[u.holder].of(u.strict)[u] = struct{}{}
	if !u.strict {
		us.unproven++
	}
}

func (us *uploads) releaseLocked(u *upload) {
	h := us.held[u.holder]
	if delete(h.of(u.strict), u); h.len() == 0 {
		delete(us.held, u.holder)
	}
	if !u.strict {
		us.unproven--
	}
}

// makeRoomLocked takes out what has to go for one more upload, if anything has
// to. Whoever calls it has them dropped by evict, without the lock.
func (us *uploads) makeRoomLocked(u *upload) (evicted []*upload, err error) {
	mine := us.held[u.holder]
	if most := us.s.cfg.MaxUploadsPerAddress; most > 0 && mine != nil && mine.len() >= most && u.holder != (network{}) {
		old := us.longestIdleLocked(mine.of(!dispensable(len(mine.unproven), most)))
		if old == nil {
			return nil, tooManyUploads("from this address", most)
		}
		us.forgetLocked(old)
		evicted = append(evicted, old)
	}
	if most := us.s.cfg.MaxUploadsInAll; most > 0 && len(us.byID) >= most {
		old := us.longestIdleLocked(us.heaviestLocked(u, !dispensable(us.unproven, most)))
		if old == nil {
			return evicted, tooManyUploads("in all", most)
		}
		us.forgetLocked(old)
		evicted = append(evicted, old)
	}
	return evicted, nil
}

// dispensable reports whether it is unproven uploads that make room: they do
// while they have more than a quarter, which is left to the deployed clients.
func dispensable(unproven, most int) bool { return unproven > 0 && unproven*4 >= most }

func tooManyUploads(where string, most int) error {
	return refuse(protocol.StatusTooMany, fmt.Sprintf("too many unfinished uploads %s: there may be %d", where, most))
}

// heaviestLocked is the uploads, proven or not, of the network that holds most
// of these; the one that is about to get another counts with it.
func (us *uploads) heaviestLocked(growing *upload, proven bool) map[*upload]struct{} {
	heaviest := us.held[growing.holder].of(proven)
	most := len(heaviest)
	if most > 0 && growing.strict == proven {
		most++
	}
	for _, h := range us.held {
		if one := h.of(proven); len(one) > most {
			heaviest, most = one, len(one)
		}
	}
	return heaviest
}

// An idleness is how dispensable an upload is beside others of its network.
type idleness struct {
	busy     bool // a packet is coming in
	complete bool // it awaits its client's word alone
	others   int  // of the same account, if that was proven
	changed  int64
}

func (a idleness) before(b idleness) bool {
	switch {
	case a.busy != b.busy:
		return b.busy
	case a.complete != b.complete:
		return b.complete
	case a.others != b.others:
		return a.others > b.others
	}
	return a.changed < b.changed
}

// longestIdleLocked is the upload that has stood still for longest, of the
// account that has the most; one that is being received only if all are. It is
// nil if there is none that nobody works on.
func (us *uploads) longestIdleLocked(among map[*upload]struct{}) (found *upload) {
	var least idleness
	for u := range among {
		i, ok := u.idleness()
		if !ok {
			continue
		}
		if u.strict {
			i.others = us.proven[u.client]
		}
		if found == nil || i.before(least) {
			found, least = u, i
		}
	}
	return found
}

// idleness fails for an upload that is being worked on: its mutex comes before
// that of all uploads, and so is not waited for.
func (u *upload) idleness() (i idleness, ok bool) {
	if !u.mu.TryLock() {
		return i, false
	}
	defer u.mu.Unlock()
	return idleness{busy: u.active > 0, complete: u.state == complete, changed: u.changed.UnixNano()}, !u.sealing
}

// evict drops uploads that made room. A base client would wait for the answer
// to its last packet in vain, so its connection is closed.
func (us *uploads) evict(ctx context.Context, evicted []*upload) {
	for _, u := range evicted {
		if u.hangUp != nil && !u.strict {
			u.hangUp()
		}
		if err := u.drop(context.WithoutCancel(ctx)); err != nil {
			us.s.log.Error("cannot remove an upload that made room for others", "upload", u.id, "error", err)
		}
		us.s.metrics.UploadsEvicted.Add(1)
		us.s.noteDropped(u, store.OutcomeWarning, "it stood still, and made room for others")
	}
}

// maxSmallInAll is how many bytes of small content may be in memory before it
// gets a part to gather in.
const maxSmallInAll = 64 << 20

// countSmallLocked counts what the upload has in memory.
func (u *upload) countSmallLocked() {
	u.s.uploads.small.Add(int64(len(u.small) - u.counted))
	u.counted = len(u.small)
}
