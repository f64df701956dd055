package server_test

import (
	"testing"
	"time"

	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

// An account that is closed takes nothing that its id alone authorizes, on the
// connections that there are too, until it is opened; proven requests go on.
func TestBaseAccess(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	plain := []byte("as ever")
	w.store("f", plain, 100)
	var known protocol.Identity
	if w.ask(&protocol.GetIdentity{}, nil, &known); !known.BaseOpen || known.HasAPIID || known.Client != w.id {
		t.Errorf("registered by 1025: %+v", known)
	}
	w.done(&protocol.SetBaseAccess{Open: false})
	for range 2 {
		w.write(w.frames("f", plain, 100)[0])
		w.expectEmpty(1607)
		for _, code := range []uint16{1029, 1030, 1031} {
			w.send(code, field("f"))
			w.expectEmpty(1607)
		}
		w.send(1026, field("ada"), publicDER(t, key1024))
		w.expectEmpty(1607)
		if w.ask(&protocol.GetIdentity{}, nil, &known); known.BaseOpen {
			t.Error("open")
		}
		if n := w.has("f"); n != 1 {
			t.Errorf("%d versions", n)
		}
		c.stop()
		c.loseCatalog()
		c.rebuild()
		c.start()
		w = w.beside(c.public) // 1027 is served: it leads to a proof
	}
	w.done(&protocol.SetBaseAccess{Open: true})
	w.store("f", plain, 100)
	w.another(c.public).fails(&protocol.SetBaseAccess{}, nil, protocol.StatusUnauthenticated)
}

// The first key of an account that is closed is taken: it has no other way.
func TestFirstKeyOfAClosedAccount(t *testing.T) {
	c := startCore(t, nil)
	w := dial(t, c.public)
	w.register("ada")
	if err := c.srv.Admin().SetBaseAccess(t.Context(), "ada", false); err != nil {
		t.Fatal(err)
	}
	w.sendKey(key1024)
	w.send(1026, field("ada"), publicDER(t, key1024))
	w.expectEmpty(1607)
}

// Ids of one side are nobody's on the other, for every request.
func TestIDsAreApart(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("wire")
	inside := c.gateway(w)
	g := dial(t, c.internal)
	requests := []protocol.Message{&protocol.GetAccount{}, listAll(), &protocol.GetKeyBundle{}, &protocol.NewSession{},
		&protocol.DeleteFile{Name: "f"}, &protocol.RemoveAccount{}, &protocol.RevokeTokens{}, &protocol.SetBaseAccess{}}
	g.id = w.id
	for _, m := range requests {
		g.fails(m, nil, protocol.StatusUnauthenticated)
	}
	g.send(1027, field("wire"))
	g.expectEmpty(1607)
	v := dial(t, c.public)
	v.id = inside.id
	v.send(1027, field("wire"))
	v.expectID(1606)
	inside.ask(&protocol.GetAccount{}, nil, &protocol.AccountInfo{})
	inside.fails(&protocol.MakeAPIID{}, nil, protocol.StatusForbidden)

	// Another id takes the place of the one until now.
	var made protocol.APIIDMade
	w.ask(&protocol.MakeAPIID{}, nil, &made)
	inside.fails(&protocol.GetAccount{}, nil, protocol.StatusUnauthenticated)
	inside.id = made.ID
	inside.ask(&protocol.GetAccount{}, nil, &protocol.AccountInfo{})
}

// A bundle that was replaced comes back with the password that opened it, also
// after the catalog was lost.
func TestFormerBundle(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	c.gateway(w)
	w.revokeTokens(&protocol.SetPassword{Password: "owner's", Bundle: []byte("good")})
	w.revokeTokens(&protocol.SetPassword{Password: "thief's", Bundle: []byte("bad")})
	for range 3 {
		w.revokeTokens(&protocol.SetPassword{Password: "thief's", Bundle: []byte("worse")})
	}
	c.stop()
	c.loseCatalog()
	c.rebuild()
	c.open()
	keys, err := server.FormerKeys(t.Context(), c.catalog, "ada")
	if err != nil || len(keys) != 2 || keys[1].Kind != store.FormerBundle || string(keys[1].Value) != "good" {
		t.Fatalf("%d former keys: %v", len(keys), err)
	}
	if err := server.RestoreKey(t.Context(), c.catalog, c.blobs, "ada", keys[1]); err != nil {
		t.Fatal(err)
	}
	c.closeStorage()
	c.start()
	w = w.beside(c.public)
	if got := w.bundle(); got != "good" {
		t.Errorf("the bundle is %q", got)
	}
	g := c.gateway(w)
	if !g.signsIn("ada", "owner's") || g.signsIn("ada", "thief's") {
		t.Error("another password than the owner's")
	}
}

// What revoking costs does not depend on how much was revoked, and a token that
// proves nothing costs no place on the disk.
func TestUnprovenTokens(t *testing.T) {
	c := startCore(t, nil)
	g := dial(t, c.internal)
	now := time.Now().Truncate(time.Microsecond)
	for i := range 100 {
		g.done(&protocol.RevokeToken{Token: protocol.TokenID{byte(i)}, Expires: now.Add(time.Hour)})
		g.fails(&protocol.CheckToken{Token: protocol.TokenID{byte(i)}, Name: "x", Issued: now}, nil, protocol.StatusUnauthenticated)
	}
	kept := 0
	if err := c.catalog.Revocations(t.Context(), func(store.Revocation) error { kept++; return nil }); err != nil || kept != 0 {
		t.Errorf("%d are kept: %v", kept, err)
	}
	g.done(&protocol.RevokeToken{Token: protocol.TokenID{1: 1}, Expires: now.AddDate(100, 0, 0), Proven: true})
	err := c.catalog.Revocations(t.Context(), func(one store.Revocation) error {
		if one.Expires.After(now.Add(protocol.MaxTokenTTL + time.Hour)) {
			t.Errorf("kept until %v", one.Expires)
		}
		kept++
		return nil
	})
	if err != nil || kept != 1 {
		t.Errorf("%d are kept: %v", kept, err)
	}
}

// One client on the wire has few passwords checked, however many connections it
// has.
func TestPasswordTriesOnTheWire(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	tooMany := 0
	for range 20 {
		m := protocol.AppendRequest(nil, w.id, &protocol.SetPassword{Current: "wrong", Password: "x", Bundle: []byte("b")}, 0)
		w.write(m)
		code, payload, err := w.receive()
		var f protocol.Failure
		if err == nil {
			err = f.DecodePayload(payload)
		}
		if code != uint16(protocol.CodeFailure) || err != nil {
			t.Fatalf("%d: %v", code, err)
		}
		if f.Status == protocol.StatusTooMany {
			tooMany++
		}
	}
	if tooMany < 10 {
		t.Errorf("%d of 20 were refused unchecked", tooMany)
	}
}

// A connection that took no key of the client's gives nothing up, confirms
// nothing and asks for nothing again: it knows the id alone.
func TestIDAloneIsToldNothing(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	plain := content(31, 3000)
	w.write(w.frames("f", plain, 1000)[0])
	w.quiet()
	other := c.newClient("ben") // who has a session, but not of this client
	for _, code := range []uint16{1029, 1030, 1031} {
		for name, v := range map[string]*wire{"no session": dial(t, c.public), "another's session": other} {
			v.id = w.id
			v.send(code, field("f"))
			v.expectEmpty(1607)
			if t.Failed() {
				t.Fatalf("%d on a connection with %s", code, name)
			}
		}
	}
	for _, frame := range w.frames("f", plain, 1000)[1:] {
		w.write(frame)
	}
	w.expectFile("f", plain)
	w.confirm("f")
}
