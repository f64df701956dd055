package metrics

import (
	"context"
	"sync"
	"time"
)

// Counters count since the start of the server.
type Counters struct {
	Received uint64 // bytes
	Sent     uint64 // bytes
	Requests uint64
	Failures uint64 // requests that were refused or failed
}

// Rates are counters per second.
type Rates struct{ Received, Sent, Requests, Failures float64 }

// since is how counters changed.
func (c Counters) since(before Counters) Counters {
	return Counters{c.Received - before.Received, c.Sent - before.Sent, c.Requests - before.Requests, c.Failures - before.Failures}
}

// Counters are how the counters stand.
func (m *Metrics) Counters() Counters {
	return Counters{m.Received.Load(), m.Sent.Load(), m.Requests.Load(), m.Failures.Load()}
}

// A Window is how far back a history goes.
type Window string

// The windows.
const (
	LastHour Window = "hour" // samples of 10 seconds
	LastDay  Window = "day"  // samples of a minute
)

// A Sample is what was counted in an interval of a history.
type Sample struct {
	At          time.Time // its end
	Connections int       // of clients, at its end
	Counters
}

const (
	sampleInterval = 10 * time.Second
	hourSamples    = int(time.Hour / sampleInterval)
	perMinute      = int(time.Minute / sampleInterval)
	daySamples     = 24 * 60
	// rateStep is how often a rate looks again.
	rateStep = 900 * time.Millisecond
)

// history is what was counted in the last hour and the last day, in memory
// alone.
type history struct {
	mu        sync.Mutex
	before    Counters // at the last sample
	hour, day []Sample // the oldest first
	minute    Counters // in the minute that is not over
	inMinute  int      // samples of it

	looked   time.Time // when rates were last asked for, or a sample taken
	then     Counters
	lastRate Rates
}

// sample ends an interval.
func (h *history) sample(now time.Time, connections int, counters Counters) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := Sample{At: now, Connections: connections, Counters: counters.since(h.before)}
	h.before = counters
	h.hour = appendBounded(h.hour, one, hourSamples)
	h.minute.Received += one.Received
	h.minute.Sent += one.Sent
	h.minute.Requests += one.Requests
	h.minute.Failures += one.Failures
	if h.inMinute++; h.inMinute == perMinute {
		h.day = appendBounded(h.day, Sample{At: now, Connections: connections, Counters: h.minute}, daySamples)
		h.minute, h.inMinute = Counters{}, 0
	}
	if now.Sub(h.looked) >= sampleInterval {
		h.rateLocked(now, counters)
	}
}

func appendBounded(list []Sample, one Sample, most int) []Sample {
	if len(list) >= most {
		list = append(list[:0:0], list[len(list)-most+1:]...)
	}
	return append(list, one)
}

func (h *history) rates(now time.Time, counters Counters) Rates {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.looked) >= rateStep {
		h.rateLocked(now, counters)
	}
	return h.lastRate
}

func (h *history) rateLocked(now time.Time, counters Counters) {
	span, d := now.Sub(h.looked).Seconds(), counters.since(h.then)
	h.lastRate = Rates{float64(d.Received) / span, float64(d.Sent) / span, float64(d.Requests) / span, float64(d.Failures) / span}
	h.looked, h.then = now, counters
}

// Rates are how fast counters grew since they were looked at before.
func (m *Metrics) Rates(now time.Time, counters Counters) Rates {
	return m.history.rates(now, counters)
}

// History returns the recent counts, the oldest first. It begins with the
// server.
func (m *Metrics) History(w Window) []Sample {
	h := &m.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if w == LastDay {
		return append([]Sample(nil), h.day...)
	}
	return append([]Sample(nil), h.hour...)
}

// Record takes the history's samples until ctx is done.
func (m *Metrics) Record(ctx context.Context) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			m.history.sample(now, int(m.Connections.Load()), m.Counters())
		}
	}
}
