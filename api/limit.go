package api

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"coffer/client"
	"coffer/internal/fair"
	"coffer/internal/problem"
	"coffer/protocol"
)

// limitedKeys is how many keys a limiter knows at least; those not seen for
// longest are forgotten first.
const limitedKeys = 16 << 10

// A limiter limits the rate of calls by key, in bounded memory.
type limiter struct {
	rate Rate

	mu          sync.Mutex
	recent, old map[string]*rate.Limiter // guarded by mu; old is forgotten when recent is full
}

func newLimiter(r Rate) *limiter {
	return &limiter{rate: r, recent: map[string]*rate.Limiter{}}
}

// wait takes one call off the key's allowance, and says how long to wait if it
// is used up.
func (l *limiter) wait(key string) (time.Duration, bool) {
	reservation := l.of(key).Reserve()
	delay := reservation.Delay()
	if delay > 0 {
		reservation.Cancel()
	}
	return delay, delay > 0
}

func (l *limiter) of(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one, ok := l.recent[key]; ok {
		return one
	}
	one, ok := l.old[key]
	if !ok {
		one = rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)
	}
	if len(l.recent) >= limitedKeys {
		l.recent, l.old = map[string]*rate.Limiter{}, l.recent
	}
	l.recent[key] = one
	return one
}

// check is a problem if the key's allowance is used up.
func (l *limiter) check(key, message string) error {
	delay, limited := l.wait(key)
	if !limited {
		return nil
	}
	return &problem.Problem{Kind: problem.Rate, Detail: message, RetryAfter: max(1, int(math.Ceil(delay.Seconds())))}
}

// limitCalls is the general limit, by address. Probes are exempt.
func (g *Gateway) limitCalls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			if err := g.calls.check(network(g.address(r)), "too many calls from this address"); err != nil {
				g.answers.Fail(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// limitSignIn is the strict limit of registering and signing in.
func (g *Gateway) limitSignIn(r *http.Request, username string) error {
	return g.signIns.check(r.Context(), network(g.address(r)), username)
}

// slowest is how long a sign-in waits whose name others try.
const slowest = 2 * time.Second

// A signInLimit limits how fast passwords are tried. Addresses are refused, but
// a name is only slowed, lest anybody could lock its owner out; and an owner
// who comes from where a sign-in has succeeded before is hindered by nobody
// else at all.
type signInLimit struct {
	from  *limiter // by network
	names *limiter // by name
	known *limiter // by network and name, which have succeeded

	mu          sync.Mutex
	recent, old map[string]bool // guarded by mu; networks and names that have succeeded
}

func newSignInLimit(r Rate) *signInLimit {
	return &signInLimit{from: newLimiter(r), names: newLimiter(r), known: newLimiter(r), recent: map[string]bool{}}
}

func pair(network, name string) string { return network + " " + name }

// check takes a try off the allowance that it counts against, and waits while
// its name is tried by others.
func (s *signInLimit) check(ctx context.Context, network, name string) error {
	if s.hasSucceeded(network, name) {
		return s.known.check(pair(network, name), "too many sign-ins with this username")
	}
	if err := s.from.check(network, "too many sign-ins from this address"); err != nil {
		return err
	}
	delay := s.slow(name)
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slow takes a try off a name's allowance, and says how long it has to wait.
func (s *signInLimit) slow(name string) time.Duration {
	reservation := s.names.of(name).Reserve()
	delay := reservation.Delay()
	if delay > slowest {
		reservation.Cancel()
		return slowest
	}
	return delay
}

func (s *signInLimit) hasSucceeded(network, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := pair(network, name)
	return s.recent[key] || s.old[key]
}

// succeeded notes that a password was right.
func (s *signInLimit) succeeded(network, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.recent) >= limitedKeys {
		s.recent, s.old = map[string]bool{}, s.recent
	}
	s.recent[pair(network, name)] = true
}

// hashTurns bound the work with passwords: each takes the core some 20 MiB and
// 30 ms, so anybody could keep it busy.
var hashTurns = fair.Limits{Slots: 4, Waiting: 128, PerSource: 16}

// hash does what takes the core a password's hash, in turn with other
// addresses. An owner who comes from where a sign-in has succeeded before does
// not stand behind a flood of strangers. username is empty for a newcomer.
func (g *Gateway) hash(r *http.Request, username string, f func() error) error {
	from, acquire := network(g.address(r)), g.turns.Acquire
	if g.signIns.hasSucceeded(from, username) {
		acquire = g.turns.AcquireKnown
	}
	release, err := acquire(r.Context(), from)
	if errors.Is(err, fair.ErrBusy) {
		return &problem.Problem{Kind: problem.Rate, Detail: "too many sign-ins at once; try again", RetryAfter: 1, Cause: err}
	}
	if err != nil {
		return err
	}
	defer release()
	err = f()
	if client.IsStatus(err, protocol.StatusTooMany) {
		return &problem.Problem{Kind: problem.Rate, Detail: "too many sign-ins at once; try again", RetryAfter: 1, Cause: err}
	}
	return err
}

// address returns the address that the request is from. Entries of
// X-Forwarded-For count from its end, as far as trusted proxies wrote them.
func (g *Gateway) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && holds(g.cfg.TrustedProxies, addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop
	}
	return addr.Unmap().WithZone("").String()
}

// forCaller has the core note where calls come from.
func (g *Gateway) forCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if address, err := netip.ParseAddr(g.address(r)); err == nil {
			r = r.WithContext(client.ForCaller(r.Context(), address))
		}
		next.ServeHTTP(w, r)
	})
}

// holds says whether an address is in one of the networks.
func holds(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr.Unmap()) })
}
