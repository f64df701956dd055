package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/server/metrics"
	"coffer/store"
)

// Stats are the figures of the running server at a moment.
type Stats struct {
	metrics.Figures
	Scrub ScrubState
}

// Stats tells the figures of now.
func (s *Server) Stats(ctx context.Context) Stats {
	now, counters := time.Now(), s.metrics.Counters()
	m := Stats{Scrub: s.ScrubState(), Figures: metrics.Figures{
		At: now, Started: s.started, Version: s.cfg.Version, Closing: s.closing.Load(),
		Connections: int(s.metrics.Connections.Load()), InSession: s.sessions.count(), Suspended: s.suspended.len(),
		Uploads: s.uploads.len(), Counters: counters, PerSecond: s.metrics.Rates(now, counters),
		Database: metrics.Operational, Storage: metrics.Operational,
	}}
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

// History is what was counted lately: see metrics.Metrics.History.
func (s *Server) History(w metrics.Window) []metrics.Sample { return s.metrics.History(w) }
