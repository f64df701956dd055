package server_test

import (
	"strings"
	"testing"

	"coffer/protocol"
	"coffer/server"
)

// The base protocol has one answer for a refused registration; the client can
// ask for the reason, without a proof.
func TestRefusedRegistrationSaysWhy(t *testing.T) {
	shut := startCore(t, func(cfg *server.Config) { cfg.RegistrationOpen = false })
	open := startCore(t, nil)
	dial(t, open.public).register("ada")
	for _, tt := range []struct {
		what, addr, name string
		code             uint16
		status           protocol.Status
		says             string
	}{
		{"taken", open.public, "ada", 1601, protocol.StatusConflict, "the name is taken"},
		{"taken but for its case", open.public, "ADA", 1601, protocol.StatusConflict, "in other capitals"},
		{"taken but for a letter of another script", open.public, "аda", 1601, protocol.StatusConflict, "looks like it"},
		{"taken but for the width of its letters", open.public, "ａｄａ", 1601, protocol.StatusConflict, "looks like it"},
		{"has a tag", open.public, "ada\U000E0041", 1601, protocol.StatusInvalid, "U+E0041"},
		{"has a variation selector", open.public, "ben\uFE00", 1601, protocol.StatusInvalid, "U+FE00"},
		{"has a blank", open.public, "ben\u2800", 1601, protocol.StatusInvalid, "U+2800"},
		{"turns", open.public, "ben\u202E", 1601, protocol.StatusInvalid, "U+202E"},
		{"ends with a space", open.public, "ada ", 1601, protocol.StatusInvalid, "ends with a space"},
		{"has a backslash", open.public, "a\\b", 1601, protocol.StatusInvalid, "backslash"},
		{"closed", shut.public, "ben", 1601, protocol.StatusForbidden, "registration is closed"},
		{"closed, whether the name is there or not", shut.public, "a ", 1601, protocol.StatusForbidden, "registration is closed"},
	} {
		w := dial(t, tt.addr)
		w.done(&protocol.GetRefusal{}) // nothing was refused yet
		w.send(1025, field(tt.name))
		if w.expectEmpty(tt.code); t.Failed() {
			t.Fatal(tt.what)
		}
		if says := w.fails(&protocol.GetRefusal{}, nil, tt.status); !strings.Contains(says, tt.says) {
			t.Errorf("%s: %q", tt.what, says)
		}
	}
}

// Registrations over the limit get the same reason, and a registration that
// succeeds clears the earlier one.
func TestRefusalIsOfTheLastRegistration(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.RegistrationRate = 2 })
	w := dial(t, c.public)
	w.send(1025, field("a "))
	w.expectEmpty(1601)
	w.register("ada")
	w.done(&protocol.GetRefusal{})
	w.send(1025, field("ben"))
	w.expectEmpty(1607)
	if says := w.fails(&protocol.GetRefusal{}, nil, protocol.StatusTooMany); !strings.Contains(says, "too many") {
		t.Errorf("%q", says)
	}
}
