package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/store"
)

// Stats are the figures of the running server at a moment.
type Stats struct {
	At      time.Time
	Started time.Time
	Version string // of this build
	Closing bool   // the server is shutting down

	Connections int // of clients that are open
	Connected   int // clients that have a connection, a session or an upload under way, themselves or by a gateway
	Internal    int // connections on the internal listener
	Gateways    int // that have proven to know the core's secret, however many connections they have
	InSession   int // clients with a live session key
	Suspended   int // clients
	Uploads     int // unfinished
	store.Totals

	Counters         // since the start
	PerSecond Rates  // lately
	Free      uint64 // bytes for blobs
	DiskTotal uint64
	Database  string // "operational", or what is wrong
	Storage   string

	Scrub ScrubState
}

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

func (s *Server) counters() Counters {
	return Counters{s.stats.received.Load(), s.stats.sent.Load(), s.stats.requests.Load(), s.stats.failures.Load()}
}

// Stats tells the figures of now.
func (s *Server) Stats(ctx context.Context) Stats {
	now, counters := time.Now(), s.counters()
	m := Stats{
		At: now, Started: s.started, Version: s.cfg.Version, Closing: s.closing.Load(),
		Connections: int(s.stats.connections.Load()), InSession: s.sessions.count(), Suspended: s.suspended.len(),
		Uploads: s.uploads.len(), Counters: counters, PerSecond: s.history.rates(now, counters),
		Database: operational, Storage: operational, Scrub: s.ScrubState(),
	}
	m.Connected = s.connectedClients()
	s.mu.Lock()
	m.Gateways = s.gatewaysLocked()
	m.Internal = max(0, len(s.conns)-m.Connections)
	s.mu.Unlock()
	var err error
	if m.Totals, err = s.cfg.Catalog.Totals(ctx); err == nil {
		_, err = s.cfg.Catalog.Setting(ctx, masterKeyCheck) // which is there, if the catalog can be read
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("cannot read the catalog", "error", err)
		m.Database = "failing"
	}
	switch m.Free, m.DiskTotal, err = s.cfg.Blobs.Space(); {
	case err != nil:
		s.log.Error("cannot read the free space", "error", err)
		m.Storage = "failing"
	case s.cfg.Space.Low():
		m.Storage = "full"
	}
	return m
}

// connectedClients counts the clients that are at work: by a connection that
// has proven whose it is, by a session, by an upload, or by calls that a
// gateway made for them lately.
func (s *Server) connectedClients() int {
	at := make(map[store.ClientID]struct{})
	s.connections.mu.Lock()
	for id := range s.connections.accounts {
		at[id] = struct{}{}
	}
	s.connections.mu.Unlock()
	s.sessions.mu.Lock()
	for id := range s.sessions.live {
		at[id] = struct{}{}
	}
	for id := range s.sessions.seen {
		at[id] = struct{}{}
	}
	s.sessions.mu.Unlock()
	for _, u := range s.uploads.all() {
		at[u.client] = struct{}{}
	}
	return len(at)
}

// Ready reports whether the server serves, and catalog and blobs can be read
// and written.
func (s *Server) Ready(ctx context.Context) error {
	if s.closing.Load() {
		return errors.New("shutting down")
	}
	if err := s.cfg.Catalog.Check(ctx); err != nil {
		return fmt.Errorf("the catalog: %w", err)
	}
	if err := s.cfg.Blobs.Check(ctx); err != nil {
		return fmt.Errorf("the blobs: %w", err)
	}
	return nil
}

// A Window is how far back a history goes.
type Window string

// The windows that there are.
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

func newHistory(now time.Time) *history { return &history{looked: now} }

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

// rates are how fast counters grew since they were looked at before.
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

// History is what was counted lately, the oldest first. It begins with the
// server.
func (s *Server) History(w Window) []Sample {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	if w == LastDay {
		return append([]Sample(nil), s.history.day...)
	}
	return append([]Sample(nil), s.history.hour...)
}

// recordHistory samples until ctx is done.
func (s *Server) recordHistory(ctx context.Context) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.history.sample(now, int(s.stats.connections.Load()), s.counters())
		}
	}
}
