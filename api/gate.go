package api

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"coffer/internal/problem"
	"coffer/protocol"
)

// A gate bounds how much is under way at once: for each key, and for all. What
// it counts, its user says.
type gate struct {
	each, all int64

	mu   sync.Mutex
	used int64            // guarded by mu, as what follows
	by   map[string]int64 // without those that use nothing
}

func newGate(each, all int64) *gate { return &gate{each: each, all: all, by: map[string]int64{}} }

// Why a gate lets nothing more in.
type full int

const (
	notFull full = iota
	keyFull
	allFull
)

// enter lets n in for a key, or nothing.
func (g *gate) enter(key string, n int64) full {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.by[key]+n > g.each:
		return keyFull
	case g.used+n > g.all:
		return allFull
	}
	g.by[key] += n
	g.used += n
	return notFull
}

// leave gives back n that a key's enter let in.
func (g *gate) leave(key string, n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
	if g.by[key] -= n; g.by[key] == 0 {
		delete(g.by, key)
	}
}

// maxCalls is how many calls are served at once, from all addresses.
const maxCalls = 4096

// limitConcurrent bounds the calls under way from one address, and in all:
// however slow they are, what they hold is bounded. Probes are exempt.
func (g *Gateway) limitConcurrent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/") {
			next.ServeHTTP(w, r)
			return
		}
		from := network(g.address(r))
		switch g.fromAddress.enter(from, 1) {
		case keyFull:
			g.answers.Fail(w, r, &problem.Problem{Kind: problem.Rate, Detail: "too many calls at once from this address", RetryAfter: busyRetry})
			return
		case allFull:
			g.answers.Fail(w, r, &problem.Problem{Kind: problem.Unavailable, Detail: "the server is busy; try again", RetryAfter: busyRetry})
			return
		}
		defer g.fromAddress.leave(from, 1)
		next.ServeHTTP(w, r)
	})
}

// limitAccount bounds the calls under way with the tokens of one account.
func (g *Gateway) limitAccount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := callerIn(r).username
		if who == "" {
			next.ServeHTTP(w, r)
			return
		}
		if g.ofAccount.enter(who, 1) != notFull {
			g.answers.Fail(w, r, &problem.Problem{Kind: problem.Rate, Detail: "too many calls at once with this account", RetryAfter: busyRetry})
			return
		}
		defer g.ofAccount.leave(who, 1)
		next.ServeHTTP(w, r)
	})
}

// network is what one host has of addresses: of IPv6 a /64.
func network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() {
		return address
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// spoolKey is whose share of the spool a client's packets take.
func spoolKey(id protocol.ClientID) string { return string(id[:]) }
