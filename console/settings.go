package console

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"coffer/console/contract"
	"coffer/internal/openapi"
	"coffer/server"
)

// A Flag is a setting that the program was started with.
type Flag struct {
	Name     string // without dashes
	Variable string // of the environment
	Help     string
	Kind     contract.SettingKind
	Choices  []string
	Value    string // empty if Secret, and set, then "set"
	Origin   contract.SettingOrigin
	Secret   bool
}

// flagName is the flag's name for one of the core's settings, and settingName
// the other way round.
func flagName(setting string) string { return strings.ReplaceAll(setting, "_", "-") }
func settingName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// A knob is a setting that can change while the core runs.
type knob struct {
	flag string
	show func(server.Settings) string
	set  func(*server.SettingsChange, string) error
}

// knobs are all that there are.
func knobs() []knob {
	return []knob{
		{"log-level", func(s server.Settings) string { return strings.ToLower(s.LogLevel.String()) },
			func(c *server.SettingsChange, text string) error {
				c.LogLevel = new(slog.Level)
				return c.LogLevel.UnmarshalText([]byte(text))
			}},
		{"keep-versions", func(s server.Settings) string { return strconv.Itoa(s.KeepVersions) },
			func(c *server.SettingsChange, text string) (err error) {
				c.KeepVersions, err = parsed(strconv.Atoi(text))
				return err
			}},
		{"min-version-age", func(s server.Settings) string { return server.FormatDuration(s.MinVersionAge) },
			func(c *server.SettingsChange, text string) (err error) {
				c.MinVersionAge, err = parsed(time.ParseDuration(text))
				return err
			}},
		{"session-ttl", func(s server.Settings) string { return server.FormatDuration(s.SessionTTL) },
			func(c *server.SettingsChange, text string) (err error) {
				c.SessionTTL, err = parsed(time.ParseDuration(text))
				return err
			}},
		{"upload-ttl", func(s server.Settings) string { return server.FormatDuration(s.UploadTTL) },
			func(c *server.SettingsChange, text string) (err error) {
				c.UploadTTL, err = parsed(time.ParseDuration(text))
				return err
			}},
		{"registration", func(s server.Settings) string { return formatOpen(s.RegistrationOpen) },
			func(c *server.SettingsChange, text string) (err error) {
				c.RegistrationOpen, err = parsed(parseOpen(text))
				return err
			}},
		{"max-connections", func(s server.Settings) string { return strconv.Itoa(s.MaxConnections) },
			func(c *server.SettingsChange, text string) (err error) {
				c.MaxConnections, err = parsed(strconv.Atoi(text))
				return err
			}},
		{"scrub-interval", func(s server.Settings) string { return server.FormatDuration(s.ScrubInterval) },
			func(c *server.SettingsChange, text string) (err error) {
				c.ScrubInterval, err = parsed(time.ParseDuration(text))
				return err
			}},
		{"scrub-rate", func(s server.Settings) string { return FormatBytes(uint64(s.ScrubRate)) },
			func(c *server.SettingsChange, text string) (err error) {
				c.ScrubRate, err = parsed(parseRate(text))
				return err
			}},
	}
}

// parsed points to what was parsed.
func parsed[T any](v T, err error) (*T, error) { return &v, err }

func formatOpen(open bool) string {
	if open {
		return "open"
	}
	return "closed"
}

func parseOpen(text string) (bool, error) {
	switch text {
	case "open":
		return true, nil
	case "closed":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither open nor closed", text)
}

func parseRate(text string) (int, error) {
	n, err := humanize.ParseBytes(text)
	if err == nil && n > 1<<40 {
		err = fmt.Errorf("%d bytes a second is more than 1TiB", n)
	}
	return int(n), err
}

// FormatBytes writes a size in the largest unit of which it is a multiple.
func FormatBytes(n uint64) string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n > 0 && n%1024 == 0 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return strconv.FormatUint(n, 10) + units[i]
}

// GetSettings tells what the server runs with: GET /api/settings.
func (c *Console) GetSettings(w http.ResponseWriter, r *http.Request) {
	c.reply(w, r, http.StatusOK, c.settings(), nil)
}

func (c *Console) settings() contract.SettingList {
	inForce, configured, changed := c.core.Settings(), c.core.ConfiguredSettings(), c.core.ChangedSettings()
	list := contract.SettingList{Settings: make([]contract.Setting, 0, len(c.cfg.Flags)), MasterKeyFile: c.cfg.MasterKeyFile}
	all := knobs()
	for _, f := range c.cfg.Flags {
		one := contract.Setting{Name: f.Name, Variable: f.Variable, Help: f.Help, Kind: f.Kind, Value: f.Value, Configured: f.Value, Origin: f.Origin, Secret: f.Secret}
		if len(f.Choices) > 0 {
			one.Choices = &f.Choices
		}
		if i := slices.IndexFunc(all, func(k knob) bool { return k.flag == f.Name }); i >= 0 {
			one.Changeable = true
			one.Value, one.Configured = all[i].show(inForce), all[i].show(configured)
			if _, ok := changed[settingName(f.Name)]; ok {
				one.Origin = contract.SettingOriginConsole
			}
		}
		list.Settings = append(list.Settings, one)
	}
	return list
}

// ChangeSettings changes settings of the running server: PATCH /api/settings.
func (c *Console) ChangeSettings(w http.ResponseWriter, r *http.Request) {
	body, err := openapi.Decode[contract.SettingsChange](r)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	change, err := settingsChange(body)
	if err == nil {
		_, err = c.core.ChangeSettings(r.Context(), change)
	}
	c.reply(w, r, http.StatusOK, c.settings(), err)
}

func settingsChange(body contract.SettingsChange) (server.SettingsChange, error) {
	var change server.SettingsChange
	all := knobs()
	find := func(name string) (knob, error) {
		i := slices.IndexFunc(all, func(k knob) bool { return k.flag == name })
		if i < 0 {
			return knob{}, &openapi.Error{Field: name, Reason: "no such setting, or none that can change while the server runs"}
		}
		return all[i], nil
	}
	for name, text := range value(body.Set, nil) {
		k, err := find(name)
		if err != nil {
			return change, err
		}
		if err := k.set(&change, text); err != nil {
			return change, &openapi.Error{Field: name, Reason: "cannot be read as the flag would be", Cause: err}
		}
	}
	for _, name := range value(body.Reset, nil) {
		if _, err := find(name); err != nil {
			return change, err
		}
		if _, also := value(body.Set, nil)[name]; also {
			return change, &openapi.Error{Field: name, Reason: "is to be set and reset at once"}
		}
		change.Reset = append(change.Reset, settingName(name))
	}
	return change, nil
}
