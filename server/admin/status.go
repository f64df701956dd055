package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"coffer/server/metrics"
	"coffer/store"
)

// Stats are the figures of the running server at a moment.
type Stats struct {
	metrics.Figures
	Scrub ScrubState
}

// Stats returns the current figures.
func (s *Service) Stats(ctx context.Context) Stats {
	now, counters, present := time.Now(), s.deps.Metrics.Counters(), s.deps.Core.Present()
	m := Stats{Scrub: s.ScrubState(), Figures: metrics.Figures{
		At: now, Started: s.started, Version: s.deps.Version, Closing: present.Closing,
		Connected: present.Clients, Internal: present.Internal, Gateways: present.Gateways,
		Connections: int(s.deps.Metrics.Connections.Load()), InSession: s.deps.Sessions.Count(), Suspended: s.deps.Accounts.Suspended(),
		Uploads: s.deps.Uploads.Count(), Counters: counters, PerSecond: s.deps.Metrics.Rates(now, counters),
		Database: metrics.Operational, Storage: metrics.Operational,
	}}
	var err error
	if m.Totals, err = s.deps.Catalog.Totals(ctx); err == nil {
		err = s.deps.Catalog.Ping(ctx) // the totals are known without reading
	}
	if err != nil && ctx.Err() == nil {
		s.deps.Log.Error("cannot read the catalog", "error", err)
		m.Database = "failing"
	}
	switch m.Free, m.DiskTotal, err = s.deps.Blobs.Space(); {
	case err != nil:
		s.deps.Log.Error("cannot read the free space", "error", err)
		m.Storage = "failing"
	case s.deps.Space.Low():
		m.Storage = "full"
	}
	return m
}

// Collector measures the core for Prometheus.
func (s *Service) Collector() prometheus.Collector { return s.deps.Metrics.Collector(s.metricsStatus) }

func (s *Service) metricsStatus() metrics.Status {
	now := s.Stats(context.Background())
	m := metrics.Status{Figures: now.Figures, Scrubbing: now.Scrub.Running}
	m.Guesses, m.SessionsEnded = s.deps.Core.Guesses()
	if g, ok := s.deps.Catalog.(store.GroupCommitter); ok {
		commits := g.GroupCommits()
		m.Commits = &commits
	}
	if last := s.LastScrub(); last != nil {
		m.LastScrub = &metrics.Scrub{Ended: last.Ended, Success: last.Error == "" && !last.Stopped && last.Counts.Sound(), Scrubbed: last.Counts}
	}
	return m
}

// Ready reports whether the server serves, and catalog and blobs can be read
// and written.
func (s *Service) Ready(ctx context.Context) error {
	if s.deps.Core.Present().Closing {
		return errors.New("shutting down")
	}
	if err := s.deps.Catalog.Check(ctx); err != nil {
		return fmt.Errorf("the catalog: %w", err)
	}
	if err := s.deps.Blobs.Check(ctx); err != nil {
		return fmt.Errorf("the blobs: %w", err)
	}
	return nil
}

// History returns recent counts: see metrics.Metrics.History.
func (s *Service) History(w metrics.Window) []metrics.Sample { return s.deps.Metrics.History(w) }
