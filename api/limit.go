package api

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
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
	return &problem{kind: kindRate, message: message, retryAfter: max(1, int(math.Ceil(delay.Seconds())))}
}

// limitCalls is the general limit, by address. Probes are exempt.
func (g *Gateway) limitCalls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			if err := g.calls.check(g.address(r), "too many calls from this address"); err != nil {
				g.fail(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// limitSignIn is the strict limit of registering and signing in.
func (g *Gateway) limitSignIn(r *http.Request, username string) error {
	if err := g.signIns.check("from "+g.address(r), "too many sign-ins from this address"); err != nil {
		return err
	}
	return g.signIns.check("as "+username, "too many sign-ins with this username")
}

// address is whom the request is from. What X-Forwarded-For says counts from
// its end, as far as trusted proxies wrote it.
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
	for i := len(hops) - 1; i >= 0 && g.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop
	}
	return addr.Unmap().WithZone("").String()
}

func (g *Gateway) trusts(addr netip.Addr) bool {
	for _, prefix := range g.cfg.TrustedProxies {
		if prefix.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}
