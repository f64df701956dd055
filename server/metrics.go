package server

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"coffer/server/metrics"
	"coffer/store"
)

// outcomeOf is how a request ended that the error answers.
func outcomeOf(err error) metrics.Outcome {
	switch {
	case err == nil:
		return metrics.Served
	case errors.As(err, new(*refusal)):
		return metrics.Refused
	case errors.As(err, new(lostError)):
		return metrics.Lost
	}
	return metrics.Failed
}

// Collector measures the server for Prometheus.
func (s *Server) Collector() prometheus.Collector { return s.metrics.Collector(s.metricsStatus) }

func (s *Server) metricsStatus() metrics.Status {
	now := s.Stats(context.Background())
	m := metrics.Status{Figures: now.Figures, SessionsEnded: s.guesses.ended.Load(), Scrubbing: now.Scrub.Running}
	for kind := range guessKinds {
		m.Guesses = append(m.Guesses, metrics.Guesses{Kind: kind.String(), Count: s.guesses.seen[kind].Load()})
	}
	if g, ok := s.cfg.Catalog.(store.GroupCommitter); ok {
		commits := g.GroupCommits()
		m.Commits = &commits
	}
	if last := s.LastScrub(); last != nil {
		m.LastScrub = &metrics.Scrub{Ended: last.Ended, Success: last.Error == "" && !last.Stopped && last.Counts.Sound(), Scrubbed: last.Counts}
	}
	return m
}
