package server

import (
	"context"
	"time"
)

// EndConsoleSession keeps, beyond a restart, that a session of the operator's console
// has ended before it expires.
func (s *Server) EndConsoleSession(ctx context.Context, id [16]byte, expires time.Time) error {
	return s.revoked.add(ctx, revocation{ID: id, Expires: expires}, time.Now())
}

// ConsoleSessionEnded reports whether a session of the operator's console has ended
// before it expires.
func (s *Server) ConsoleSessionEnded(id [16]byte) bool { return s.revoked.has(id, "", time.Time{}) }
