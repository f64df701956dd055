package admin

import (
	"context"
	"strings"

	"coffer/server/settings"
	"coffer/store"
)

// Settings are those in force.
func (s *Service) Settings() settings.Values { return s.deps.Settings.Values() }

// SettingStates are all settings, with where their values come from.
func (s *Service) SettingStates() []settings.State { return s.deps.Settings.States() }

// ChangeSettings changes settings of the running core, and keeps them: see
// settings.Settings.Change.
func (s *Service) ChangeSettings(ctx context.Context, set map[string]string, reset []string) error {
	differences, err := s.deps.Settings.Change(ctx, set, reset)
	if err != nil || len(differences) == 0 {
		return err
	}
	s.scrubs.follow()
	detail := strings.Join(differences, ", ")
	s.deps.Log.Info("settings changed", "what", detail)
	s.deps.Feed.Note(store.Activity{Kind: store.ActivitySettings, Outcome: store.OutcomeOK, Detail: detail})
	return nil
}
