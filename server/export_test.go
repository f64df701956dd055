package server

import (
	"context"
	"time"
)

// SmallContent is how many bytes of small content are in memory.
func (s *Server) SmallContent() int64 { return s.uploads.SmallContent() }

// Sweep makes one pass over the packs of all clients.
func (s *Server) Sweep(ctx context.Context, elapsed time.Duration) error {
	return s.sweeper.pass(ctx, elapsed)
}

// Puts is how many packs are coming in.
func (s *Server) Puts() int64 { return s.metrics.Puts.Load() }
