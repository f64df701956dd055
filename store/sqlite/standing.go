package sqlite

import (
	"net/netip"
	"time"

	"coffer/store"
)

// A standing is how much an activity says of who made it. Accounts cost nothing
// to make: what new ones do, and what anybody can do in the name of others, is
// counted by network, and beyond its share is the first to go.
type standing int

const (
	anybody  standing = iota // a sign-in to a settled client that failed, and so proved no identity
	stranger                 // of a client that never stored anything
	newcomer                 // of one that did, and registered less than settledAfter before
	settled                  // of any other, and of the server
	standings
)

// settledAfter is how long a client is a newcomer.
const settledAfter = 7 * 24 * time.Hour

// share is how many of the activities that are kept those of a standing can
// count on.
func (s standing) share(keep int) int {
	switch s {
	case anybody, stranger:
		return keep / 10
	case newcomer:
		return keep / 4
	}
	return keep
}

// An acquaintance is what is known of a client: from the register while it is
// there, and from its activities once it was removed.
type acquaintance struct {
	since  int64 // a stamp
	stored bool
}

// of is the client's standing at a time.
func (a acquaintance) of(at int64) standing {
	switch {
	case !a.stored:
		return stranger
	case at-a.since < int64(settledAfter):
		return newcomer
	}
	return settled
}

// learn adds what an activity shows.
func (a acquaintance) learn(did *store.Activity) acquaintance {
	if at := stamp(did.At); a.since == 0 || at < a.since {
		a.since = at
	}
	switch did.Kind {
	case store.ActivityUpload:
		a.stored = a.stored || did.Outcome == store.OutcomeOK
	case store.ActivityRemoval:
		a.stored = a.stored || did.Bytes > 0
	}
	return a
}

// known is what the register says of a client; ok is false for one that it does
// not have.
func (r *register) known(id store.ClientID) (known acquaintance, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.byID[id]
	if e == nil {
		return acquaintance{}, false
	}
	return acquaintance{since: e.created, stored: e.usage.Versions > 0}, true
}

// networkOf is what an activity's address counts for: the address, or of IPv6
// its /64. Without an address it is the zero prefix.
func networkOf(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
