package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"coffer/store"
)

// settingsSetting is the key under which the catalog keeps what was changed at
// run time.
const settingsSetting = "settings"

// Settings are what can be changed while the server runs.
type Settings struct {
	LogLevel         slog.Level
	KeepVersions     int // 0 keeps all
	MinVersionAge    time.Duration
	SessionTTL       time.Duration
	UploadTTL        time.Duration
	RegistrationOpen bool
	MaxConnections   int
	ScrubInterval    time.Duration // 0: never by itself
	ScrubRate        int           // bytes per second; 0: as fast as it goes
}

// retention is which versions of a file stay when one is added.
func (s Settings) retention() store.Retention {
	return store.Retention{Versions: s.KeepVersions, MinAge: s.MinVersionAge}
}

// A SettingsChange changes the settings that are not nil. Those that Reset
// names go back to what the server was started with.
type SettingsChange struct {
	LogLevel         *slog.Level    `json:"log_level,omitempty"`
	KeepVersions     *int           `json:"keep_versions,omitempty"`
	MinVersionAge    *time.Duration `json:"min_version_age,omitempty"`
	SessionTTL       *time.Duration `json:"session_ttl,omitempty"`
	UploadTTL        *time.Duration `json:"upload_ttl,omitempty"`
	RegistrationOpen *bool          `json:"registration,omitempty"`
	MaxConnections   *int           `json:"max_connections,omitempty"`
	ScrubInterval    *time.Duration `json:"scrub_interval,omitempty"`
	ScrubRate        *int           `json:"scrub_rate,omitempty"`

	Reset []string `json:"-"` // names of fields, as in JSON
}

// A SettingError says which setting cannot be what, and why.
type SettingError struct {
	Setting string // as in JSON
	Reason  string
}

func (e *SettingError) Error() string { return e.Setting + ": " + e.Reason }

// A setting is one that can be changed: how it is called, taken from a change,
// put into the settings in force, shown, and what it may be.
type setting struct {
	name  string
	merge func(kept, change *SettingsChange) (changed bool)
	clear func(kept *SettingsChange)
	apply func(kept *SettingsChange, s *Settings)
	show  func(s *Settings) string
	check func(s *Settings) string
}

// settingOf builds a setting from where it is in a change and in the settings.
func settingOf[T any](name string, change func(*SettingsChange) **T, field func(*Settings) *T, show func(T) string, check func(T) string) setting {
	return setting{
		name: name,
		merge: func(kept, c *SettingsChange) bool {
			value := *change(c)
			if value != nil {
				*change(kept) = value
			}
			return value != nil
		},
		clear: func(kept *SettingsChange) { *change(kept) = nil },
		apply: func(kept *SettingsChange, s *Settings) {
			if value := *change(kept); value != nil {
				*field(s) = *value
			}
		},
		show:  func(s *Settings) string { return show(*field(s)) },
		check: func(s *Settings) string { return check(*field(s)) },
	}
}

// changeable are the settings that can be changed while the server runs, in
// the order in which they are told.
func changeable() []setting {
	atLeast := func(least int, reason string) func(int) string {
		return func(n int) string {
			if n < least {
				return reason
			}
			return ""
		}
	}
	positive := func(d time.Duration) string {
		if d < time.Second {
			return "at least a second"
		}
		return ""
	}
	number := func(n int) string { return fmt.Sprint(n) }
	return []setting{
		settingOf("log_level", func(c *SettingsChange) **slog.Level { return &c.LogLevel }, func(s *Settings) *slog.Level { return &s.LogLevel },
			func(l slog.Level) string { return strings.ToLower(l.String()) },
			func(l slog.Level) string {
				if !slices.Contains([]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}, l) {
					return "one of debug, info, warn, error"
				}
				return ""
			}),
		settingOf("keep_versions", func(c *SettingsChange) **int { return &c.KeepVersions }, func(s *Settings) *int { return &s.KeepVersions },
			number, atLeast(0, "not negative")),
		settingOf("min_version_age", func(c *SettingsChange) **time.Duration { return &c.MinVersionAge }, func(s *Settings) *time.Duration { return &s.MinVersionAge },
			FormatDuration,
			func(d time.Duration) string {
				if d < 0 {
					return "not negative"
				}
				return ""
			}),
		settingOf("session_ttl", func(c *SettingsChange) **time.Duration { return &c.SessionTTL }, func(s *Settings) *time.Duration { return &s.SessionTTL },
			FormatDuration, positive),
		settingOf("upload_ttl", func(c *SettingsChange) **time.Duration { return &c.UploadTTL }, func(s *Settings) *time.Duration { return &s.UploadTTL },
			FormatDuration, positive),
		settingOf("registration", func(c *SettingsChange) **bool { return &c.RegistrationOpen }, func(s *Settings) *bool { return &s.RegistrationOpen },
			func(open bool) string {
				if open {
					return "open"
				}
				return "closed"
			}, func(bool) string { return "" }),
		settingOf("max_connections", func(c *SettingsChange) **int { return &c.MaxConnections }, func(s *Settings) *int { return &s.MaxConnections },
			number, atLeast(1, "at least 1")),
		settingOf("scrub_interval", func(c *SettingsChange) **time.Duration { return &c.ScrubInterval }, func(s *Settings) *time.Duration { return &s.ScrubInterval },
			FormatDuration,
			func(d time.Duration) string {
				if d != 0 && d < time.Minute {
					return "at least a minute, or 0 for never"
				}
				return ""
			}),
		settingOf("scrub_rate", func(c *SettingsChange) **int { return &c.ScrubRate }, func(s *Settings) *int { return &s.ScrubRate },
			number, func(n int) string {
				if n != 0 && n < 64<<10 {
					return "at least 65536, or 0 for no limit"
				}
				return ""
			}),
	}
}

// configured are the settings as the configuration has them.
func configured(cfg *Config) Settings {
	s := Settings{KeepVersions: cfg.KeepVersions, MinVersionAge: cfg.MinVersionAge, SessionTTL: cfg.SessionTTL, UploadTTL: cfg.UploadTTL,
		RegistrationOpen: cfg.RegistrationOpen, MaxConnections: cfg.MaxConnections,
		ScrubInterval: cfg.ScrubInterval, ScrubRate: cfg.ScrubRate}
	if cfg.LogLevel != nil {
		s.LogLevel = cfg.LogLevel.Level()
	}
	return s
}

// loadSettings puts in force what was changed in an earlier run.
func (s *Server) loadSettings(ctx context.Context) error {
	text, err := s.cfg.Catalog.Setting(ctx, settingsSetting)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &s.kept)
	}
	if err != nil {
		return fmt.Errorf("reading the settings that were changed: %w", err)
	}
	if changed := s.changedLocked(); len(changed) > 0 {
		names := slices.Sorted(maps.Keys(changed))
		s.log.Info("settings that were changed at run time win over flags and environment", "settings", strings.Join(names, " "))
	}
	s.enforce(s.resolve(&s.kept))
	return nil
}

// resolve applies changes to what was configured.
func (s *Server) resolve(kept *SettingsChange) Settings {
	inForce := s.configured
	for _, one := range changeable() {
		one.apply(kept, &inForce)
	}
	return inForce
}

func (s *Server) enforce(inForce Settings) {
	s.settings.Store(&inForce)
	if s.cfg.LogLevel != nil {
		s.cfg.LogLevel.Set(inForce.LogLevel)
	}
	s.scrubs.limit.Set(inForce.ScrubRate)
	s.scrubs.reschedule()
}

// Settings are those in force.
func (s *Server) Settings() Settings { return *s.settings.Load() }

// ConfiguredSettings are those that the server was started with.
func (s *Server) ConfiguredSettings() Settings { return s.configured }

// ChangedSettings names the settings that were changed at run time, with the
// values that were given.
func (s *Server) ChangedSettings() map[string]string {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.changedLocked()
}

func (s *Server) changedLocked() map[string]string {
	changed := make(map[string]string)
	for _, one := range changeable() {
		var nothing, given SettingsChange
		if one.merge(&nothing, &s.kept) {
			var value Settings
			one.merge(&given, &s.kept)
			one.apply(&given, &value)
			changed[one.name] = one.show(&value)
		}
	}
	return changed
}

// ChangeSettings changes settings of the running server, and keeps them: they
// win over flags and environment in later runs. A setting that cannot be so is
// a *SettingError, and then nothing has changed.
func (s *Server) ChangeSettings(ctx context.Context, change SettingsChange) (Settings, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	kept, before := s.kept, s.Settings()
	if change.LogLevel != nil && s.cfg.LogLevel == nil {
		return before, &SettingError{"log_level", "cannot be changed here"}
	}
	all := changeable()
	for _, name := range change.Reset {
		i := slices.IndexFunc(all, func(one setting) bool { return one.name == name })
		if i < 0 {
			return before, &SettingError{name, "no such setting, or none that can change while the server runs"}
		}
		all[i].clear(&kept)
	}
	var given SettingsChange
	for _, one := range all {
		if !one.merge(&given, &change) {
			continue
		}
		one.merge(&kept, &change)
		wanted := s.resolve(&kept)
		if reason := one.check(&wanted); reason != "" {
			return before, &SettingError{one.name, reason}
		}
	}
	inForce := s.resolve(&kept)
	text, err := json.Marshal(kept)
	if err == nil {
		err = s.cfg.Catalog.SetSetting(ctx, settingsSetting, text)
	}
	if err != nil {
		return before, fmt.Errorf("keeping the settings: %w", err)
	}
	s.kept = kept
	s.enforce(inForce)
	var told []string
	for _, one := range all {
		if was, is := one.show(&before), one.show(&inForce); was != is {
			told = append(told, fmt.Sprintf("%s from %s to %s", strings.ReplaceAll(one.name, "_", "-"), was, is))
		}
	}
	if len(told) > 0 {
		detail := strings.Join(told, ", ")
		s.log.Info("settings changed", "what", detail)
		s.note(store.Activity{Kind: store.ActivitySettings, Outcome: store.OutcomeOK, Detail: detail})
	}
	return inForce, nil
}

// FormatDuration writes a duration without parts that are zero at its end.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
