package server

import (
	"context"

	"coffer/server/settings"
)

// loadSettings puts in force what was changed in an earlier run.
func (s *Server) loadSettings(ctx context.Context) (err error) {
	configured := s.cfg.Values
	if s.cfg.Level != nil {
		configured.LogLevel = s.cfg.Level.Level()
	}
	s.settings, err = settings.Load(ctx, s.cfg.Catalog, configured, s.enforce, s.log)
	return err
}

func (s *Server) enforce(inForce settings.Values) {
	if s.cfg.Level != nil {
		s.cfg.Level.Set(inForce.LogLevel)
	}
}

// Settings are those in force.
func (s *Server) Settings() settings.Values { return s.settings.Values() }
