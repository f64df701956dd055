package server

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"coffer/protocol/crypt"
	"coffer/server/upload"
	"coffer/store"
	"coffer/store/sqlite"
)

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
