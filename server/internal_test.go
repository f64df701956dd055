package server

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/protocol/crypt"
	"coffer/server/upload"
	"coffer/store"
	"coffer/store/sqlite"
)

func TestSpaceReserve(t *testing.T) {
	reserve := filepath.Join(t.TempDir(), "reserve")
	free, failing := uint64(1<<40), error(nil)
	s := NewSpace(1<<30, func() (uint64, uint64, error) { return free, 1 << 40, failing }, reserve, slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		name      string
		free      uint64
		err       error
		full      bool
		low, kept bool
	}{
		{name: "room", free: 1 << 40, kept: true},
		{name: "below the minimum", free: 1<<30 - 1, low: true, kept: true},
		{name: "all but full", free: 1 << 20, low: true},
		{name: "room, but not for the reserve", free: 1 << 30, low: true},
		{name: "room again", free: 1 << 40, kept: true},
		{name: "cannot tell", err: errors.New("failing"), kept: true},
		{name: "a write found none", free: 1 << 40, full: true, low: true},
	} {
		free, failing = tt.free, tt.err
		s.check()
		if tt.full {
			s.Full()
		}
		_, err := os.Stat(reserve)
		if s.Low() != tt.low || (err == nil) != tt.kept {
			t.Errorf("%s: low %v, reserve %v", tt.name, s.Low(), err)
		}
	}
	var none *Space
	none.Full()
	if none.Low() {
		t.Error("no Space is low")
	}
}

func TestPasswords(t *testing.T) {
	p := passwordTurn{newPasswords()}
	hash := p.hash("secret")
	for _, tt := range []struct {
		name, hash, password string
		same                 bool
		err                  error
	}{
		{"right", hash, "secret", true, nil},
		{"wrong", hash, "Secret", false, nil},
		{"empty", hash, "", false, nil},
		{"no hash", "", "secret", false, nil},
		{"another algorithm", "$2b$12$x", "secret", false, errHash},
	} {
		if same, err := p.matches(tt.hash, tt.password); same != tt.same || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %v", tt.name, same, err)
		}
	}
}

func TestSessionsFlush(t *testing.T) {
	catalog, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "defensive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close()
	id := store.ClientID{1}
	if err := catalog.AddClient(t.Context(), store.Client{ID: id, Name: "client", SessionKey: []byte("sealed"), Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s := newSessions(catalog, NewMasterKey(), func() time.Duration { return time.Minute }, slog.New(slog.DiscardHandler))
	s.put(id, upload.Gateway, session{Session: upload.Session{Key: crypt.SessionKey{1}}})
	for _, tt := range []struct {
		after time.Duration
		live  int
	}{{0, 1}, {59 * time.Second, 1}, {61 * time.Second, 0}} {
		if err := s.flush(t.Context(), time.Now().Add(tt.after)); err != nil {
			t.Fatal(err)
		}
		live, err := catalog.Sessions(t.Context())
		if err != nil || s.count() != tt.live || len(live) != tt.live {
			t.Errorf("after %v: %d sessions, %d in the catalog, %v", tt.after, s.count(), len(live), err)
		}
	}
	if _, ok := s.get(id, upload.Gateway); ok {
		t.Error("an ended session is live")
	}
}
