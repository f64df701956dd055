package server_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

// A client id stands in every header. What follows is what somebody who knows
// it, the name and a file's name, has tried on a connection of his own.

// stranger knows a client's id and name, and has a session with it whose key
// he cannot unwrap.
func (w *wire) stranger(addr string) *wire {
	w.t.Helper()
	v := w.another(addr)
	v.priv, v.key = nil, [32]byte{}
	v.send(1027, field(w.name))
	v.expect(1605)
	return v
}

// Traffic recorded from one connection is of no use on another: the answers
// reveal neither its padding nor its checksum.
func TestStrangerLearnsNothing(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	plain := []byte("the PIN is 4711, and nobody else may know")
	recorded := encrypt(w.key, plain)
	w.store("diary", plain, 1000)
	for _, v := range []*wire{w.another(c.public), w.stranger(c.public)} {
		v.write(w.packetFrame("probe", len(recorded), len(plain), 1, 1, recorded))
		v.expectEmpty(1607)
	}
	w.store("diary", plain, 1000)
}

// Nothing that a stranger sends is seen by the owner's upload.
func TestStrangerDisturbsNothing(t *testing.T) {
	plain := content(21, 3000)
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, c *core, w *wire, frames [][]byte)
	}{
		{"1027", func(t *testing.T, c *core, w *wire, _ [][]byte) { w.stranger(c.public) }},
		{"1031", func(t *testing.T, c *core, w *wire, _ [][]byte) {
			v := w.stranger(c.public)
			v.send(1031, field("f"))
			v.expectID(1604)
		}},
		{"1030", func(t *testing.T, c *core, w *wire, _ [][]byte) {
			v := w.stranger(c.public)
			v.send(1030, field("f"))
			v.expectID(1604)
		}},
		{"1029", func(t *testing.T, c *core, w *wire, _ [][]byte) {
			v := w.stranger(c.public)
			v.send(1029, field("f"))
			v.expectEmpty(1607)
		}},
		{"packet 1 without a session", func(t *testing.T, c *core, w *wire, frames [][]byte) {
			v := w.another(c.public)
			v.write(frames[0])
			v.expectEmpty(1607)
		}},
		{"packet 1", func(t *testing.T, c *core, w *wire, frames [][]byte) {
			v := w.stranger(c.public)
			v.write(frames[0])
			v.quiet()
		}},
		{"packet 3 with other content", func(t *testing.T, c *core, w *wire, frames [][]byte) {
			v := w.stranger(c.public)
			f := bytes.Clone(frames[2])
			f[len(f)-1] ^= 1
			v.write(f)
			v.quiet()
		}},
		{"packet 0", func(t *testing.T, c *core, w *wire, frames [][]byte) {
			v := w.stranger(c.public)
			f := bytes.Clone(frames[2])
			f[23+8] = 0
			v.write(f)
			v.expectEmpty(1607)
		}},
		{"another key", func(t *testing.T, c *core, w *wire, _ [][]byte) {
			v := w.another(c.public)
			v.send(1026, field(w.name), publicDER(t, key17))
			v.expectEmpty(1607)
		}},
		{"the same key again", func(t *testing.T, c *core, w *wire, _ [][]byte) {
			v := w.another(c.public)
			v.send(1026, field(w.name), publicDER(t, key1024))
			v.expect(1602)
		}},
		{"a session of the gateway's", func(t *testing.T, c *core, w *wire, _ [][]byte) {
			c.gateway(w).ask(&protocol.NewSession{}, nil, &protocol.SessionKeyIssued{})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startCore(t, nil)
			w := c.proven("ada")
			w.t = t
			frames := w.frames("f", plain, 1000)
			w.write(frames[0])
			w.write(frames[2])
			w.quiet()
			tt.do(t, c, w, frames)
			w.write(bytes.Join([][]byte{frames[1], frames[3]}, nil))
			w.expectFile("f", plain)
			tt.do(t, c, w, frames)
			w.confirm("f")
			if n := w.has("f"); n != 1 {
				t.Errorf("%d versions", n)
			}
			w.expectStored("f", plain)
		})
	}
}

// Extensions are proven with the key of the same connection alone.
func TestProofIsOfTheOwnKey(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	challenge := func(v *wire) []byte {
		var issued protocol.ChallengeIssued
		v.ask(&protocol.Challenge{}, nil, &issued)
		return issued.Challenge[:]
	}
	for name, v := range map[string]*wire{"none": w.another(c.public), "one that cannot be unwrapped": w.stranger(c.public)} {
		v.key = w.key
		v.fails(&protocol.Prove{Proof: proofOf(w.key, challenge(v))}, nil, protocol.StatusUnauthenticated)
		v.fails(listAll(), nil, protocol.StatusUnauthenticated)
		if t.Failed() {
			t.Fatalf("a connection with %s", name)
		}
	}
	// Nor with the gateway's, which the owner of the key can unwrap.
	var issued protocol.SessionKeyIssued
	c.gateway(w).ask(&protocol.NewSession{}, nil, &issued)
	v := w.another(c.public)
	v.setKey(issued.WrappedKey)
	v.fails(&protocol.Prove{Proof: proofOf(v.key, challenge(v))}, nil, protocol.StatusUnauthenticated)
	v.write(v.frames("f", []byte("x"), 100)[0])
	v.expectEmpty(1607)
	w.list(listAll())
}

// The gateway's named uploads, and those of a connection, never meet.
func TestGatewayAndWireAreApart(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	plain := content(22, 2000)
	w.write(w.frames("f", plain, 1000)[0])
	w.quiet()
	g := c.gateway(w)
	ref := protocol.UploadRef{Name: "f"}
	g.fails(&protocol.GetUpload{Ref: ref}, nil, protocol.StatusNotFound)
	g.fails(&protocol.CancelUpload{Ref: ref}, nil, protocol.StatusNotFound)
	var list protocol.UploadList
	if g.ask(&protocol.ListUploads{}, nil, &list); len(list.Uploads) != 0 {
		t.Errorf("the gateway sees %+v", list.Uploads)
	}
	v := w.beside(c.public)
	v.fails(&protocol.GetUpload{Ref: ref}, nil, protocol.StatusNotFound)
	w.ask(&protocol.GetUpload{Ref: ref}, nil, &protocol.UploadState{})
	w.write(bytes.Join(w.frames("f", plain, 1000)[1:], nil))
	w.expectFile("f", plain)
	g.fails(&protocol.VerifyUpload{Ref: ref}, nil, protocol.StatusNotFound)
	w.confirm("f")
}

// What a connection has sent goes with it.
func TestUploadsEndWithTheirConnection(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	plain := content(23, 300_000)
	frames := w.frames("f", plain, 100_000)
	w.write(bytes.Join([][]byte{frames[0], frames[2]}, nil))
	w.write(bytes.Join(w.frames("g", plain, 100_000), nil))
	w.expectFile("g", plain)
	w.nc.Close()
	eventually(t, "they are gone", func() bool { return c.srv.Status(t.Context()).Uploads == 0 })
	if info, err := c.srv.Admin().Client(t.Context(), "ada"); err != nil || info.InSession {
		t.Errorf("%+v, %v", info, err)
	}
	v := w.another(c.public)
	v.reconnect()
	v.send(1029, field("g"))
	v.expectEmpty(1607)
	v.store("f", plain, 100_000)
}

// Taking another key starts the file over, on this connection as on any.
func TestAnotherClientOnTheConnection(t *testing.T) {
	c := startCore(t, nil)
	w, other := c.newClient("ada"), c.newClient("bob")
	other.nc = w.nc
	other.reconnect()
	w.write(w.frames("f", []byte("x"), 100)[0])
	w.expectEmpty(1607) // the connection is bob's now
	other.store("f", []byte("x"), 100)
	w.reconnect()
	w.store("f", []byte("y"), 100)
}

// With --base-sessions=client, packets come over any connection of the client.
func TestSessionsPerClient(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.BaseSessions = server.PerClient })
	w := c.newClient("ada")
	plain := content(24, 3000)
	frames := w.frames("f", plain, 1000)
	for _, f := range frames[:len(frames)-1] {
		v := w.another(c.public)
		v.write(f)
		v.quiet()
		v.nc.Close()
	}
	v := w.another(c.public)
	v.write(frames[len(frames)-1])
	v.expectFile("f", plain)
	w.another(c.public).confirm("f")
	// A proof is of the connection's own key all the same.
	x := w.another(c.public)
	var issued protocol.ChallengeIssued
	x.ask(&protocol.Challenge{}, nil, &issued)
	x.fails(&protocol.Prove{Proof: proofOf(w.key, issued.Challenge[:])}, nil, protocol.StatusUnauthenticated)
	r := w.beside(c.public)
	r.expectStored("f", plain)
}

// Three files that reveal something end the session, whatever they revealed,
// and the sessions after it wait; sessions from other addresses do not.
func TestGuessesEndSessions(t *testing.T) {
	noise := func(w *wire) []byte { return w.packetFrame("f", 16, 3, 1, 1, make([]byte, 16)) }
	for _, tt := range []struct {
		name  string
		guess func(w *wire)
	}{
		{"wrong padding", func(w *wire) { w.write(noise(w)); w.expectEmpty(1607) }},
		{"sent again from the start", func(w *wire) {
			f := w.frames("f", []byte("x"), 100)[0]
			w.write(f)
			w.expect(1603)
			w.write(w.packetFrame("f", 16, 3, 2, 2, nil)) // another file by that name
			w.quiet()
		}},
		{"given up", func(w *wire) {
			w.write(w.frames("f", []byte("x"), 100)[0])
			w.expect(1603)
			w.send(1031, field("f"))
			w.expectID(1604)
		}},
		{"dropped by packet 0", func(w *wire) {
			w.write(w.frames("f", []byte("x"), 100)[0])
			w.expect(1603)
			w.write(w.packetFrame("f", 16, 1, 0, 1, nil))
			w.expectEmpty(1607)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startCore(t, nil)
			w := c.newClient("ada")
			w.t = t
			began := time.Now()
			for range 3 {
				tt.guess(w)
			}
			w.write(w.frames("g", []byte("x"), 100)[0])
			w.expectEmpty(1607)
			if e := c.failures()[0]; e.Rule != protocol.RuleGuesses {
				t.Errorf("the doctor says %v", e.Rule)
			}
			list, err := c.srv.Admin().ActivitiesOf(t.Context(), "ada", store.ActivityFilter{Kinds: []store.ActivityKind{store.ActivitySessionEnded}, Limit: 10})
			if err != nil || len(list) != 1 || list[0].Outcome != store.OutcomeWarning {
				t.Errorf("activities: %+v, %v", list, err)
			}
			w.reconnect()
			if waited := time.Since(began); waited < time.Second {
				t.Errorf("the next session came after %v", waited)
			}
			w.store("g", []byte("x"), 100)
			c.newClient("bob").store("g", []byte("x"), 100)
		})
	}
}

// What is sent again after a 1030 is summed as often as the protocol says, and
// other content in its place counts like another file.
func TestRetriesAreGuesses(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	send := func(content string, code uint16) {
		t.Helper()
		w.write(w.frames("f", []byte(content), 100)[0])
		if code == 1607 {
			w.expectEmpty(code)
			return
		}
		w.expect(code)
	}
	again := func() { w.send(1030, field("f")) }
	for range 2 { // two files whose sums stay wrong, as an honest client has them
		for n := range 4 {
			send("the same", 1603)
			if n < 3 {
				again()
			}
		}
		w.send(1031, field("f"))
		w.expectID(1604)
	}
	send("honest", 1603)
	w.send(1029, field("f"))
	w.expectID(1604)

	w = c.newClient("bob")
	for _, content := range []string{"first", "second", "third"} {
		send(content, 1603)
		again()
	}
	send("fourth", 1607)
	if e := c.failures()[0]; e.Rule != protocol.RuleGuesses {
		t.Errorf("the doctor says %v", e.Rule)
	}
}

// Files summed and left behind, connection by connection, count like those on
// one; and sessions that would have to wait for long are refused at once.
func TestGuessesOverConnections(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	for range 3 {
		v := w.another(c.public)
		v.reconnect()
		v.write(v.frames("f", []byte("x"), 100)[0])
		v.expect(1603)
		v.nc.Close()
	}
	eventually(t, "the files are gone", func() bool { return c.srv.Status(t.Context()).Uploads == 0 })
	refused := false
	for range 8 {
		v := w.another(c.public)
		v.send(1027, field("ada"))
		go v.receive() // as long as it takes
	}
	eventually(t, "one is refused at once", func() bool {
		for _, e := range c.failures() {
			refused = refused || e.Rule == protocol.RuleGuesses && e.Code == protocol.CodeReconnect
		}
		return refused
	})
	// Clients that wait do not keep the server from closing.
	c.restart()
}

// By way of the gateway, wrong padding ends the session of the gateway's.
func TestGuessesOfTheGateway(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	g := c.gateway(w)
	var issued protocol.SessionKeyIssued
	g.ask(&protocol.NewSession{}, nil, &issued)
	m := &protocol.NamedPacket{OriginalSize: 3, Number: 1, Total: 1, Name: protocol.Field(field("f"))}
	for range 3 {
		g.fails(m, make([]byte, 16), protocol.StatusInvalid)
	}
	g.fails(m, make([]byte, 16), protocol.StatusNoSession)
	c.restart()
	g = c.gateway(w)
	g.fails(m, make([]byte, 16), protocol.StatusNoSession)
	g.ask(&protocol.NewSession{}, nil, &issued)
	g.setKey(issued.WrappedKey)
	g.ask(m, encrypt(g.key, []byte("abc")), &protocol.UploadState{})
	w = w.another(c.public)
	w.reconnect()
	w.store("f", []byte("abc"), 100)
}

// Callers of the gateway are counted apart: who guesses at one address slows
// nobody at another.
func TestGuessesOfCallers(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("ada")
	g := c.gateway(w)
	var issued protocol.SessionKeyIssued
	g.ask(&protocol.NewSession{}, nil, &issued)
	m := &protocol.NamedPacket{OriginalSize: 3, Number: 1, Total: 1, Name: protocol.Field(field("f"))}
	for n := range 3 {
		g.write(protocol.AppendRequest(nil, g.id, &protocol.Caller{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)})}, 0))
		g.fails(m, make([]byte, 16), protocol.StatusInvalid)
	}
	g.fails(m, make([]byte, 16), protocol.StatusInvalid)
}

// What strangers begin takes no room from the owner.
func TestStrangersTakeNoRoom(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploads = 3 })
	w := c.proven("ada")
	for range 4 {
		v := w.stranger(c.public)
		for n := range 4 {
			v.write(v.packetFrame(fmt.Sprint("f", n), 0, 1000, 1, 2, []byte("x")))
		}
		v.expectEmpty(1607) // the fourth
		v.quiet()
	}
	w.store("f", []byte("x"), 100)
	w.leave("g", []byte("x"))
	g := c.gateway(w)
	g.begin(&protocol.BeginUpload{OriginalSize: 100, Name: "h"})
}
