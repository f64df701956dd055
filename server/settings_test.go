package server_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"coffer/protocol"
	"coffer/server"
	"coffer/server/settings"
)

// What was changed at run time takes hold at once, wins over what the server
// is started with, and can be taken back.
func TestSettings(t *testing.T) {
	level := new(slog.LevelVar)
	keep := 2
	c := startCore(t, func(cfg *server.Config) { cfg.Level, cfg.KeepVersions, cfg.MinVersionAge = level, keep, 0 })
	w := c.proven("ada")
	change := func(set map[string]string, reset ...string) settings.Values {
		t.Helper()
		if err := c.srv.Admin().ChangeSettings(t.Context(), set, reset); err != nil {
			t.Fatal(err)
		}
		return c.srv.Settings()
	}
	got := change(map[string]string{"keep-versions": "1", "registration": "closed", "log-level": "debug", "session-ttl": "1h", "max-connections": "10"})
	if got.KeepVersions != 1 || got.RegistrationOpen || got.SessionTTL != time.Hour || level.Level() != slog.LevelDebug {
		t.Errorf("settings: %+v", got)
	}
	for i := range 3 {
		w.store("f", content(uint64(i), 1000), 2000)
	}
	if n := w.has("f"); n != 1 {
		t.Errorf("%d versions are kept", n)
	}
	v := dial(t, c.public)
	v.send(1025, field("bob"))
	v.expectEmpty(1601)
	var account protocol.AccountInfo
	w.ask(&protocol.GetAccount{}, nil, &account)
	if account.KeepVersions != 1 || account.SessionTTL != time.Hour {
		t.Errorf("account: %+v", account)
	}

	level.Set(slog.LevelInfo)
	keep = 7
	c.restart()
	if again := c.srv.Settings(); again != got || level.Level() != slog.LevelDebug {
		t.Errorf("after a restart: %+v, want %+v", again, got)
	}
	got = change(map[string]string{"upload-ttl": "1h"}, "keep-versions", "registration")
	if got.KeepVersions != 7 || !got.RegistrationOpen || got.UploadTTL != time.Hour || got.SessionTTL != time.Hour {
		t.Errorf("after a reset: %+v", got)
	}
	if err := c.srv.Admin().ChangeSettings(t.Context(), map[string]string{"max-connections": "0"}, nil); err == nil || c.srv.Settings() != got {
		t.Errorf("no connections: error %v, settings %+v", err, c.srv.Settings())
	}
	noted := 0
	for _, line := range c.happened() {
		if strings.HasPrefix(line, "settings ok") {
			noted++
		}
	}
	if noted != 2 {
		t.Errorf("noted %d times", noted)
	}
}
