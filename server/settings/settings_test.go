package settings_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/server/settings"
)

// A drawer keeps settings in memory.
type drawer map[string][]byte

func (d drawer) Setting(_ context.Context, key string) ([]byte, error) { return d[key], nil }
func (d drawer) SetSetting(_ context.Context, key string, value []byte) error {
	d[key] = value
	return nil
}

func load(t *testing.T, d drawer, configured settings.Values) (s *settings.Settings, inForce *settings.Values) {
	t.Helper()
	inForce = new(settings.Values)
	s, err := settings.Load(t.Context(), d, configured, func(v settings.Values) { *inForce = v }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if *inForce != s.Values() {
		t.Errorf("enforced %+v, in force are %+v", *inForce, s.Values())
	}
	return s, inForce
}

// other is a value of a kind that is no default.
func other(k settings.Kind) string {
	return map[settings.Kind]string{settings.Duration: "48h", settings.Bytes: "1MiB", settings.Count: "17", settings.Switch: "closed", settings.Level: "debug"}[k]
}

// Every value has a row, by which it is changed, alone, and shown as it was
// given; it is kept, and reset again.
func TestEverySetting(t *testing.T) {
	d := drawer{}
	s, inForce := load(t, d, settings.Defaults())
	touched := make(map[string]bool)
	for _, one := range s.States() {
		if one.Changed || one.Value != one.Configured {
			t.Errorf("unchanged: %+v", one)
		}
		want := other(one.Kind)
		differences, err := s.Change(t.Context(), map[string]string{one.Flag: want}, nil)
		if err != nil || !slices.Equal(differences, []string{one.Flag + " from " + one.Value + " to " + want}) {
			t.Errorf("%s: %q, %v", one.Flag, differences, err)
		}
		got, before := reflect.ValueOf(*inForce), reflect.ValueOf(settings.Defaults())
		for i := range got.NumField() {
			if !got.Field(i).Equal(before.Field(i)) {
				touched[got.Type().Field(i).Name] = true
			}
		}
		again, _ := load(t, d, settings.Defaults())
		if again.Values() != s.Values() {
			t.Errorf("%s: kept %+v of %+v", one.Flag, again.Values(), s.Values())
		}
		if _, err := s.Change(t.Context(), nil, []string{one.Flag}); err != nil || s.Values() != settings.Defaults() {
			t.Errorf("%s: after a reset %+v, %v", one.Flag, s.Values(), err)
		}
	}
	if n := reflect.TypeFor[settings.Values]().NumField(); len(touched) != n || len(s.States()) != n {
		t.Errorf("of %d values, %v are touched by %d rows", n, touched, len(s.States()))
	}
}

// A change is made whole or not at all, and the error names the setting.
func TestRefused(t *testing.T) {
	s, inForce := load(t, drawer{}, settings.Defaults())
	for _, test := range []struct {
		set   map[string]string
		reset []string
		want  string
	}{
		{map[string]string{"keep-versions": "-1", "max-connections": "3"}, nil, "keep-versions: not negative"},
		{map[string]string{"keep-versions": "many"}, nil, "keep-versions: cannot be read"},
		{map[string]string{"upload-ttl": "1h", "max-connections": "0"}, nil, "max-connections: at least 1"},
		{map[string]string{"session-ttl": "0s"}, nil, "session-ttl: at least a second"},
		{map[string]string{"upload-ttl": "-1h"}, nil, "upload-ttl: at least a second"},
		{map[string]string{"min-version-age": "-1h"}, nil, "min-version-age: not negative"},
		{map[string]string{"scrub-interval": "1s"}, nil, "scrub-interval: at least a minute"},
		{map[string]string{"scrub-rate": "1"}, nil, "scrub-rate: from 64KiB to 1TiB"},
		{map[string]string{"scrub-rate": "16EiB"}, nil, "scrub-rate: cannot be read"},
		{map[string]string{"scrub-rate": "15EiB"}, nil, "scrub-rate: from 64KiB to 1TiB"},
		{map[string]string{"registration": "ajar"}, nil, "registration: cannot be read"},
		{map[string]string{"log-level": "loud"}, nil, "log-level: cannot be read"},
		{map[string]string{"log-level": "warn+1"}, nil, "log-level: one of"},
		{map[string]string{"max-packet": "1MiB"}, nil, "max-packet: no such setting"},
		{nil, []string{"max-packet"}, "max-packet: no such setting"},
		{map[string]string{"upload-ttl": "1h"}, []string{"upload-ttl"}, "upload-ttl: cannot be set and reset"},
	} {
		_, err := s.Change(t.Context(), test.set, test.reset)
		if refused, ok := errors.AsType[*settings.Error](err); !ok || !strings.HasPrefix(refused.Error(), test.want) {
			t.Errorf("%v: %v, want %s", test.set, err, test.want)
		}
		if s.Values() != settings.Defaults() || *inForce != settings.Defaults() {
			t.Fatalf("%v changed %+v", test.set, s.Values())
		}
	}
}

// What the core is started with is held to the same bounds.
func TestCheck(t *testing.T) {
	if err := settings.Defaults().Check(); err != nil {
		t.Error(err)
	}
	v := settings.Defaults()
	v.UploadTTL = time.Millisecond
	if err := v.Check(); err == nil || err.Error() != "upload-ttl: at least a second" {
		t.Error(err)
	}
}

// What an earlier version kept is in force, but for what cannot be any more.
func TestEarlierForm(t *testing.T) {
	s, _ := load(t, drawer{"settings": []byte(`{"log_level":"DEBUG","keep_versions":2,"session_ttl":3600000000000,"registration":false,"scrub_rate":33554433,"upload_ttl":1,"gone":7}`)}, settings.Defaults())
	want := settings.Defaults()
	want.LogLevel, want.KeepVersions, want.SessionTTL, want.RegistrationOpen, want.ScrubRate = slog.LevelDebug, 2, time.Hour, false, 33554433
	if s.Values() != want {
		t.Errorf("%+v, want %+v", s.Values(), want)
	}
}
