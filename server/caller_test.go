package server_test

import (
	"net/netip"
	"testing"

	"coffer/protocol"
	"coffer/store"
)

// The gateway says whom it makes its next request for; the one after that is
// nobody's. A client on the wire cannot say so for itself.
func TestCaller(t *testing.T) {
	c := startCore(t, nil)
	g := dial(t, c.internal)
	register := func(name string) {
		t.Helper()
		g.request(&protocol.CreateAccount{Name: name, Kind: "api_client", Password: "correct horse"}, nil)
		g.expect(uint16(protocol.CodeAccountCreated))
	}
	for name, address := range map[string]string{"four": "192.0.2.7", "six": "2001:db8::7"} {
		g.request(&protocol.Caller{Address: netip.MustParseAddr(address)}, nil)
		register(name)
	}
	register("nobody's")
	g.request(&protocol.Caller{Address: netip.MustParseAddr("192.0.2.8")}, nil)
	g.request(&protocol.Caller{}, nil)
	register("taken back")

	w := c.proven("wire")
	w.fails(&protocol.Caller{Address: netip.MustParseAddr("192.0.2.9")}, nil, protocol.StatusForbidden)

	found, err := c.srv.Admin().Activities(t.Context(), store.ActivityFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range found {
		if a.Kind == store.ActivityRegistration {
			got[a.Name] = a.Address
		}
	}
	for name, want := range map[string]string{"four": "192.0.2.7", "six": "2001:db8::7", "nobody's": "", "taken back": "", "wire": "127.0.0.1"} {
		if got[name] != want {
			t.Errorf("%s registered from %q, want %q", name, got[name], want)
		}
	}
}

// A connection that has not proven to be a gateway's says nothing for callers.
func TestCallerWantsTheSecret(t *testing.T) {
	c := startCore(t, nil)
	w := dialUnproven(t, c.internal)
	w.request(&protocol.Caller{Address: netip.MustParseAddr("192.0.2.7")}, nil)
	if got := w.failure(); got != protocol.StatusUnauthenticated {
		t.Errorf("status %d", got)
	}
	w.closed()
}
