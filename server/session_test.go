package server_test

import (
	"testing"
	"time"

	"coffer/protocol"
)

func TestEndSession(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	if info, err := c.srv.Admin().Client(t.Context(), "ada"); err != nil || !info.InSession || info.KeyBits != 1024 || info.SessionEnds.Before(time.Now()) {
		t.Errorf("%+v, error %v", info, err)
	}
	if err := c.srv.Admin().EndSession(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w.fails(listAll(), nil, protocol.StatusNoSession)
	if info, err := c.srv.Admin().Client(t.Context(), "ada"); err != nil || info.InSession || !info.SessionEnds.IsZero() {
		t.Errorf("%+v, error %v", info, err)
	}
	c.restart()
	if n := c.srv.Admin().Stats(t.Context()).InSession; n != 0 {
		t.Errorf("%d sessions after a restart", n)
	}
	w = w.another(c.public)
	w.reconnect()
	w.prove()
	w.list(listAll())
}

// Sessions end by the time that is in force, whatever it was when they began.
func TestSettingsEndSessions(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	if err := c.srv.Admin().ChangeSettings(t.Context(), map[string]string{"session-ttl": "1s"}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session ends", func() bool {
		info, err := c.srv.Admin().Client(t.Context(), "ada")
		return err == nil && !info.InSession
	})
	w.fails(listAll(), nil, protocol.StatusNoSession)
}
