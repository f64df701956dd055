package api

import (
	"net/http"
	"net/netip"
	"strings"

	"coffer/internal/fair"
	"coffer/internal/problem"
)

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
		switch g.fromAddress.Enter(from, 1) {
		case fair.KeyFull:
			g.answers.Fail(w, r, &problem.Problem{Kind: problem.Rate, Detail: "too many calls at once from this address", RetryAfter: busyRetry})
			return
		case fair.AllFull:
			g.answers.Fail(w, r, &problem.Problem{Kind: problem.Unavailable, Detail: "the server is busy; try again", RetryAfter: busyRetry})
			return
		}
		defer g.fromAddress.Leave(from, 1)
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
		if g.ofAccount.Enter(who, 1) != fair.NotFull {
			g.answers.Fail(w, r, &problem.Problem{Kind: problem.Rate, Detail: "too many calls at once with this account", RetryAfter: busyRetry})
			return
		}
		defer g.ofAccount.Leave(who, 1)
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
