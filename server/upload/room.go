package upload

import (
	"context"
	"fmt"
	"net/netip"
)

// Unfinished uploads are limited in total and by address, besides the limits of
// accounts and connections. When there is no more room, a new upload replaces
// the one idle for longest of the address that holds the most. So nobody keeps
// others from beginning, and a flood costs an address with few uploads nothing.

// A holding is the uploads that one network began.
type holding struct {
	proven   map[*Upload]struct{}
	unproven map[*Upload]struct{} // by base requests, which an id and a name are enough for
}

func newHolding() *holding {
	return &holding{proven: make(map[*Upload]struct{}), unproven: make(map[*Upload]struct{})}
}

func (h *holding) len() int { return len(h.proven) + len(h.unproven) }

// of is those of the holding that are proven, or are not.
func (h *holding) of(proven bool) map[*Upload]struct{} {
	switch {
	case h == nil:
		return nil
	case proven:
		return h.proven
	}
	return h.unproven
}

// holdLocked counts an upload for its holder.
func (r *Registry) holdLocked(u *Upload) {
	f := &u.file
	if r.held[f.Holder] == nil {
		r.held[f.Holder] = newHolding()
	}
	r.held[f.Holder].of(f.Strict)[u] = struct{}{}
	if !f.Strict {
		r.unproven++
	}
}

func (r *Registry) releaseLocked(u *Upload) {
	f := &u.file
	h := r.held[f.Holder]
	if delete(h.of(f.Strict), u); h.len() == 0 {
		delete(r.held, f.Holder)
	}
	if !f.Strict {
		r.unproven--
	}
}

// makeRoomLocked takes out what has to go for one more upload, if anything has
// to. Whoever calls it has them dropped by evict, without the lock.
func (r *Registry) makeRoomLocked(u *Upload, limits *Limits) (evicted []*Upload, err error) {
	mine := r.held[u.file.Holder]
	if most := limits.MaxOfAddress; most > 0 && mine != nil && mine.len() >= most && u.file.Holder != (netip.Prefix{}) {
		old := r.longestIdleLocked(mine.of(!dispensable(len(mine.unproven), most)))
		if old == nil {
			return nil, tooMany("from this address", most)
		}
		r.forgetLocked(old)
		evicted = append(evicted, old)
	}
	if most := limits.MaxInAll; most > 0 && len(r.byID) >= most {
		old := r.longestIdleLocked(r.heaviestLocked(u, !dispensable(r.unproven, most)))
		if old == nil {
			return evicted, tooMany("in all", most)
		}
		r.forgetLocked(old)
		evicted = append(evicted, old)
	}
	return evicted, nil
}

// dispensable reports whether it is unproven uploads that make room: they do
// while they have more than a quarter, which is left to the deployed clients.
func dispensable(unproven, most int) bool { return unproven > 0 && unproven*4 >= most }

func tooMany(where string, most int) error {
	return refuse(TooMany, fmt.Sprintf("too many unfinished uploads %s: there may be %d", where, most))
}

// heaviestLocked is the uploads, proven or not, of the network that holds most
// of these; the one that is about to get another counts with it.
func (r *Registry) heaviestLocked(growing *Upload, proven bool) map[*Upload]struct{} {
	heaviest := r.held[growing.file.Holder].of(proven)
	most := len(heaviest)
	if most > 0 && growing.file.Strict == proven {
		most++
	}
	for _, h := range r.held {
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
func (r *Registry) longestIdleLocked(among map[*Upload]struct{}) (found *Upload) {
	var least idleness
	for u := range among {
		i, ok := u.idleness()
		if !ok {
			continue
		}
		if u.file.Strict {
			i.others = r.proven[u.file.Key.Client]
		}
		if found == nil || i.before(least) {
			found, least = u, i
		}
	}
	return found
}

// idleness fails for an upload that is being worked on, which is not waited for.
func (u *Upload) idleness() (i idleness, ok bool) {
	if !u.mu.TryLock() {
		return i, false
	}
	defer u.mu.Unlock()
	return idleness{busy: u.packets.active > 0, complete: u.state == complete, changed: u.changed.UnixNano()}, u.settled == nil
}

// evict drops uploads that made room. A base client would wait for the answer
// to its last packet in vain, so its connection is closed.
func (r *Registry) evict(ctx context.Context, evicted []*Upload) {
	for _, u := range evicted {
		if u.file.HangUp != nil && !u.file.Strict {
			u.file.HangUp()
		}
		if err := u.Drop(context.WithoutCancel(ctx), Evicted); err != nil {
			r.Log.Error("cannot remove an upload that made room for others", "upload", u.id, "error", err)
		}
	}
}
