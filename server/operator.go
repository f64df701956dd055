package server

import (
	"context"
	"time"

	"coffer/store"
)

// EndConsoleSession keeps, beyond a restart, that a session of the operator's console
// has ended before it expires.
func (s *Server) EndConsoleSession(ctx context.Context, id [16]byte, expires time.Time) error {
	return s.revoked.add(ctx, store.Revocation{Token: id, Expires: expires})
}

// ConsoleSessionEnded reports whether a session of the operator's console has ended
// before it expires.
func (s *Server) ConsoleSessionEnded(id [16]byte) bool { return s.revoked.has(id, "", time.Time{}) }
