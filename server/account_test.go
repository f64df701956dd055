package server_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/store"
)

func sealed(format uint8) bool { return protocol.Format(format).Sealed() }

// rebuild makes a lost catalog anew.
func (c *core) rebuild() {
	c.t.Helper()
	c.open()
	if _, err := maintain.Rebuild(c.t.Context(), c.catalog, c.blobs, sealed); err != nil {
		c.t.Fatal(err)
	}
	c.closeStorage()
}

// signsIn reports whether the password is the account's.
func (w *wire) signsIn(name, password string) bool {
	w.t.Helper()
	w.request(&protocol.SignIn{Method: protocol.SignInByPassword, Name: name, Password: password}, nil)
	code, _, err := w.receive()
	if err != nil {
		w.t.Fatal(err)
	}
	return code == uint16(protocol.CodeSignedIn)
}

func (w *wire) bundle() string {
	w.t.Helper()
	var m protocol.KeyBundle
	w.ask(&protocol.GetKeyBundle{}, nil, &m)
	return string(m.Bundle)
}

// Password and key bundle change together, for a caller that proves the
// password or, on the public listener, the private key.
func TestSetPassword(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("client")
	m := func(current, password, bundle string) *protocol.SetPassword {
		return &protocol.SetPassword{Current: current, Password: password, Bundle: []byte(bundle)}
	}
	w.fails(m("", "first", "one"), nil, protocol.StatusUnauthenticated) // not proven
	w.prove()
	g := c.gateway(w)
	g.fails(m("", "first", "one"), nil, protocol.StatusForbidden) // an account without one has none that is right
	token := &protocol.CheckToken{Name: "client", Issued: time.Now()}
	g.done(token)
	w.revokeTokens(m("", "first", "one"))
	g.fails(token, nil, protocol.StatusUnauthenticated)
	if !g.signsIn("client", "first") || w.bundle() != "one" {
		t.Error("not set by who proved the key")
	}
	for _, bad := range []struct {
		m      *protocol.SetPassword
		status protocol.Status
	}{
		{m("first", "", "two"), protocol.StatusInvalid},
		{m("first", "second", ""), protocol.StatusInvalid},
		{m("wrong", "second", "two"), protocol.StatusForbidden},
		{m("", "second", "two"), protocol.StatusForbidden},
	} {
		g.fails(bad.m, nil, bad.status)
	}
	w.fails(m("wrong", "second", "two"), nil, protocol.StatusForbidden) // what is given must be right
	if !g.signsIn("client", "first") || g.bundle() != "one" {
		t.Error("changed by what was refused")
	}
	token.Issued = time.Now()
	until := g.revokeTokens(m("first", "second", "two"))
	g.fails(token, nil, protocol.StatusUnauthenticated) // with the password, not a request later
	token.Issued = until.Add(time.Microsecond)
	g.done(token)
	if g.signsIn("client", "first") || !g.signsIn("client", "second") || g.bundle() != "two" {
		t.Error("not changed by the password")
	}
	c.stop()
	c.loseCatalog()
	c.rebuild()
	c.start()
	g = c.gateway(w)
	if !g.signsIn("client", "second") || g.bundle() != "two" {
		t.Error("not there after the catalog was lost")
	}
}

func TestRevokeTokens(t *testing.T) {
	c := startCore(t, nil)
	w, g := c.proven("client"), dial(t, c.internal)
	now := time.Now().Truncate(time.Microsecond)
	check := func(token byte, name string, issued time.Time) *protocol.CheckToken {
		return &protocol.CheckToken{Token: protocol.TokenID{token}, Name: name, Issued: issued}
	}
	dead := func(what string, m *protocol.CheckToken) {
		t.Helper()
		t.Log(what)
		g.fails(m, nil, protocol.StatusUnauthenticated)
	}
	g.done(check(1, "client", now))
	g.done(&protocol.RevokeToken{Token: protocol.TokenID{1}, Expires: now.Add(time.Hour), Proven: true})
	dead("one", check(1, "client", now))
	g.done(check(2, "client", now))
	w.fails(&protocol.RevokeTokens{}, nil, protocol.StatusForbidden)
	g.fails(&protocol.RevokeTokens{}, nil, protocol.StatusUnauthenticated) // of nobody
	until := c.gateway(w).revokeTokens(&protocol.RevokeTokens{})
	if until.Before(now) {
		t.Errorf("revoked until %v, before %v", until, now)
	}
	for range 2 {
		dead("issued before", check(2, "client", now))
		dead("issued then", check(2, "client", until))
		g.done(check(2, "client", until.Add(time.Microsecond)))
		g.done(check(2, "another", now))
		dead("one", check(1, "client", until.Add(time.Minute)))
		c.restart()
		g = dial(t, c.internal)
	}
	// What is revoked later is never less.
	if again := c.gateway(w).revokeTokens(&protocol.RevokeTokens{}); !again.After(until) {
		t.Errorf("revoked until %v, then until %v", until, again)
	}
}

// revokeTokens sends what makes all of the client's tokens dead, and returns
// until when they were issued.
func (w *wire) revokeTokens(m protocol.Message) time.Time {
	w.t.Helper()
	var answer protocol.TokensRevoked
	w.ask(m, nil, &answer)
	return answer.Until
}

// A clock that is set back keeps nobody out who signs in after a revocation.
func TestSignInWithTheClockSetBack(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	c.stop()
	c.open()
	future := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	list, err := json.Marshal([]map[string]any{{"account": "client", "until": future, "expires": future.Add(time.Hour)}})
	if err := errors.Join(err, c.catalog.SetSetting(t.Context(), "revoked_tokens", list)); err != nil {
		t.Fatal(err)
	}
	c.closeStorage()
	c.start()
	g := c.gateway(w)
	var in protocol.SignedIn
	g.ask(&protocol.SignIn{Method: protocol.SignInByName, Name: "client"}, nil, &in)
	g.done(&protocol.CheckToken{Name: "client", Issued: in.At})
	until := g.revokeTokens(&protocol.RevokeTokens{})
	g.fails(&protocol.CheckToken{Name: "client", Issued: in.At}, nil, protocol.StatusUnauthenticated)
	g.done(&protocol.CheckToken{Name: "client", Issued: until.Add(time.Microsecond)})
}

// Whoever is signing in by the old password while it is changed gets a token
// that is dead once the change is answered.
func TestSignInDuringAPasswordChange(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	w.revokeTokens(&protocol.SetPassword{Password: "old", Bundle: []byte("one")})
	const rivals = 4
	signedIn := make(chan protocol.SignedIn, 1000)
	var wg sync.WaitGroup
	for range rivals {
		g := c.gateway(w)
		wg.Go(func() {
			for {
				g.request(&protocol.SignIn{Method: protocol.SignInByPassword, Name: "client", Password: "old"}, nil)
				code, payload, err := g.receive()
				if err != nil || code != uint16(protocol.CodeSignedIn) {
					return // the old password counts no more
				}
				var in protocol.SignedIn
				if err := in.DecodePayload(payload); err != nil {
					t.Error(err)
					return
				}
				signedIn <- in
			}
		})
	}
	first := <-signedIn // they are at it
	g := c.gateway(w)
	until := g.revokeTokens(&protocol.SetPassword{Current: "old", Password: "new", Bundle: []byte("two")})
	wg.Wait()
	close(signedIn)
	dead := func(in protocol.SignedIn) {
		t.Helper()
		g.fails(&protocol.CheckToken{Name: "client", Issued: in.At}, nil, protocol.StatusUnauthenticated)
	}
	dead(first)
	for in := range signedIn {
		dead(in)
	}
	g.done(&protocol.CheckToken{Name: "client", Issued: until.Add(time.Microsecond)})
}

func TestRemoveAccount(t *testing.T) {
	c := startCore(t, nil)
	w, other := c.proven("client"), c.proven("other")
	w.store("small", []byte("x"), 1000)
	w.store("large", content(110, 200_000), 50_000)
	other.store("kept", []byte("y"), 1000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "unfinished"})
	w.packet(id, 2, false, encrypt(up.key, content(111, 1000)))
	w.revokeTokens(&protocol.SetPassword{Password: "secret", Bundle: []byte("keys")})

	g := c.gateway(w)
	g.fails(&protocol.RemoveAccount{}, nil, protocol.StatusForbidden)
	g.fails(&protocol.RemoveAccount{Password: "wrong"}, nil, protocol.StatusForbidden)
	w.fails(&protocol.RemoveAccount{}, nil, protocol.StatusForbidden)
	token := &protocol.CheckToken{Name: "client", Issued: time.Now()}
	g.done(&protocol.RemoveAccount{Password: "secret"})
	g.fails(token, nil, protocol.StatusUnauthenticated)
	g.fails(&protocol.GetAccount{}, nil, protocol.StatusUnauthenticated)
	w.fails(listAll(), nil, protocol.StatusNoSession)
	w.send(1027, field("client"))
	w.expect(1606)
	c.onlyKept(t, other)

	again := c.proven("client") // the name is free
	if l := again.list(listAll()); len(l.Files) != 0 {
		t.Errorf("the next one of that name finds %+v", l)
	}
}

// onlyKept fails the test if anything but the other client's file is there,
// now or once the catalog is lost.
func (c *core) onlyKept(t *testing.T, other *wire) {
	t.Helper()
	check := func() {
		t.Helper()
		blobs := 0
		err := c.blobs.Walk(t.Context(), func(b store.StoredBlob) error {
			blobs++
			if b.Metadata.Client != store.ClientID(other.id) {
				t.Errorf("a blob of %q is left", b.Metadata.Name)
			}
			return nil
		})
		if err != nil || blobs != 1 {
			t.Errorf("%d blobs: %v", blobs, err)
		}
		err = c.blobs.AccountRecords(t.Context(), func(record store.AccountRecord) error {
			if record.Client.ID != store.ClientID(other.id) {
				t.Errorf("the account record of %q is left", record.Client.Name)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	check()
	c.stop()
	c.loseCatalog()
	c.rebuild()
	c.start()
	check()
	c.gateway(other).fetch("kept", 0)
}

// A crash in the middle of a removal, before or after the client is gone from
// the catalog, leaves no half of it: the next run ends what was begun.
func TestRemovalAfterACrash(t *testing.T) {
	for _, tt := range []struct {
		name  string
		crash func(t *testing.T, c *core, id store.ClientID)
	}{
		{"noted", func(*testing.T, *core, store.ClientID) {}},
		{"gone from the catalog", func(t *testing.T, c *core, id store.ClientID) {
			if _, err := c.catalog.RemoveClient(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}},
		{"without its account record", func(t *testing.T, c *core, id store.ClientID) {
			_, err := c.catalog.RemoveClient(t.Context(), id)
			if err := errors.Join(err, c.blobs.RemoveAccountRecord(t.Context(), id)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startCore(t, nil)
			w, other := c.proven("client"), c.proven("other")
			w.store("small", []byte("x"), 1000)
			w.store("large", content(112, 200_000), 50_000)
			other.store("kept", []byte("y"), 1000)
			c.stop()
			c.open()
			id := store.ClientID(w.id)
			if err := c.catalog.BeginRemoval(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			tt.crash(t, c, id)
			c.closeStorage()
			c.start()
			c.onlyKept(t, other)
		})
	}
}
