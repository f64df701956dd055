package server

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"coffer/protocol"
)

// maxRegistrants is how many networks it is known of how much they registered.
const maxRegistrants = 1 << 14

var errRegistrations = refuse(protocol.StatusTooMany, "too many registrations from this address; wait, then try again")

// registrations bound how many clients register on the wire, by address. The
// gateway bounds those over HTTP.
type registrations struct {
	hourly int // 0: no limit

	mu sync.Mutex
	of map[network]*rate.Limiter
}

func newRegistrations(hourly int) *registrations {
	return &registrations{hourly: hourly, of: make(map[network]*rate.Limiter)}
}

// allow counts a registration, unless there were too many. Where it is no
// longer known of every network, the rest share one limit.
func (r *registrations) allow(n network) bool {
	if r.hourly == 0 || n == (network{}) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[n] == nil && len(r.of) >= maxRegistrants {
		maps.DeleteFunc(r.of, func(_ network, l *rate.Limiter) bool { return l.Tokens() >= float64(r.hourly) })
		if len(r.of) >= maxRegistrants {
			n = network{}
		}
	}
	l := r.of[n]
	if l == nil {
		l = rate.NewLimiter(rate.Every(time.Hour/time.Duration(r.hourly)), r.hourly)
		r.of[n] = l
	}
	return l.Allow()
}
