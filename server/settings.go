package server

import (
	"context"
	"strings"

	"coffer/server/settings"
	"coffer/store"
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
	s.scrubs.limit.Set(inForce.ScrubRate)
	s.scrubs.reschedule()
}

// Settings are those in force.
func (s *Server) Settings() settings.Values { return s.settings.Values() }

// SettingStates are all settings, with where their values come from.
func (s *Server) SettingStates() []settings.State { return s.settings.States() }

// ChangeSettings changes settings of the running server, and keeps them: see
// settings.Settings.Change.
func (s *Server) ChangeSettings(ctx context.Context, set map[string]string, reset []string) error {
	differences, err := s.settings.Change(ctx, set, reset)
	if err != nil || len(differences) == 0 {
		return err
	}
	detail := strings.Join(differences, ", ")
	s.log.Info("settings changed", "what", detail)
	s.note(store.Activity{Kind: store.ActivitySettings, Outcome: store.OutcomeOK, Detail: detail})
	return nil
}
