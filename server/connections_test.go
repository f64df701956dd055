package server_test

import (
	"crypto/sha256"
	"net"
	"runtime"
	"testing"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server"
)

// dialFrom connects from one of this machine's loopback addresses.
func dialFrom(t testing.TB, ip, addr string) *wire {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	nc, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		if runtime.GOOS != "linux" { // which has all of 127.0.0.0/8
			t.Skipf("no connections from %s here: %v", ip, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &wire{t: t, nc: nc, hash: sha256.New}
}

// openConnections waits until so many connections are open.
func (c *core) openConnections(n int64) {
	c.t.Helper()
	eventually(c.t, "connections are open", func() bool { return int64(c.srv.Status(c.t.Context()).Connections) == n })
}

func TestConnectionsPerAddress(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPerAddress = 3 })
	owner := c.proven("owner")
	first := dial(t, c.public)
	c.openConnections(2)
	second := dial(t, c.public)
	c.openConnections(3)
	third := dial(t, c.public)
	first.closed()
	other := dialFrom(t, "127.0.0.2", c.public) // another address has its own
	c.openConnections(4)
	for _, w := range []*wire{second, third, other} {
		w.quiet()
	}
	owner.store("f", nil, 100) // fails the test if it is closed
}

// A flood from one address takes no connection of another address, whatever
// came first.
func TestFloodClosesItsOwn(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxConnections, cfg.MaxPerAddress = 16, 0 })
	honest := dialFrom(t, "127.0.0.2", c.public)
	honest.register("honest")
	honest.sendKey("rsa1024_e17")
	owner := c.proven("owner")
	var flood []*wire
	for range 60 {
		w := dialFrom(t, "127.0.0.3", c.public)
		w.write(make([]byte, 11)) // half a header
		flood = append(flood, w)
	}
	late := dialFrom(t, "127.0.0.4", c.public)
	late.register("late")
	honest.store("f", []byte("content"), 100)
	owner.store("g", []byte("content"), 100)
	for _, w := range flood[:40] {
		w.closed()
	}
}

// Of one address, connections without a key go first, then connections with
// one; proven ones never go.
func TestStandingOfConnections(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPerAddress = 3 })
	owner := c.proven("owner")
	keyed := dial(t, c.public)
	keyed.register("keyed")
	keyed.sendKey("rsa1024_e17")
	stranger := dial(t, c.public)
	c.openConnections(3)
	second := dial(t, c.public)
	stranger.closed()
	second.register("second")
	second.sendKey("rsa1024_e17")
	third := dial(t, c.public)
	keyed.closed() // both have a key by now
	third.quiet()
	owner.store("g", []byte("content"), 100)
}

func TestAllProven(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPerAddress = 2 })
	a := c.proven("a")
	b := c.proven("b")
	dial(t, c.public).closed()
	a.store("f", nil, 100)
	b.store("f", nil, 100)
}

func TestConnectionsPerAccount(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPerAccount = 2 })
	a := c.proven("a")
	b := a.another(c.public)
	b.reconnect()
	b.prove()
	third := a.another(c.public)
	third.reconnect()
	var challenge protocol.ChallengeIssued
	third.ask(&protocol.Challenge{}, nil, &challenge)
	proof := &protocol.Prove{Proof: crypt.SessionKey(third.key).Proof(challenge.Challenge[:])}
	third.fails(proof, nil, protocol.StatusTooMany)
	b.nc.Close()
	c.openConnections(2)
	third.prove()
	c.proven("another")
}

// A header that trickles in is given up, however patient the server is with
// connections that say nothing.
func TestHeaderInTime(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.HeaderTimeout = 50 * time.Millisecond })
	w := dial(t, c.public)
	w.write([]byte{0})
	w.closed()
	half := dial(t, c.public)
	half.write(make([]byte, 22))
	half.closed()
}

// Requests that prove and store nothing do not keep a connection; files do.
func TestUnprovenTimeout(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.UnprovenTimeout = 3 * time.Second })
	owner := c.proven("owner")
	busy := c.newClient("busy")
	chatty := dial(t, c.public)
	began, answered := time.Now(), 0
	for n := 0; ; n++ {
		busy.store("f", []byte{byte(n)}, 100)
		if _, err := chatty.nc.Write(make([]byte, 16)); err != nil {
			break
		}
		if _, err := chatty.nc.Write([]byte{3, 0x0f, 0x27, 0, 0, 0, 0}); err != nil { // code 9999
			break
		}
		if _, _, err := chatty.receive(); err != nil {
			break
		}
		answered++
		if time.Since(began) > patience {
			t.Fatal("a connection that proves nothing goes on and on")
		}
	}
	if answered == 0 {
		t.Error("no request was answered at all")
	}
	busy.store("f", nil, 100)
	owner.store("f", nil, 100)
}

// What an answer costs does not grow with how many packets wait, nor with the
// gaps between them; and there is an end to how many may.
func TestManyGaps(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("gaps")
	var begun protocol.UploadBegun
	w.ask(&protocol.BeginUpload{Name: "f", OriginalSize: protocol.UnknownSize}, nil, &begun)
	const packets = 10_000
	done := make(chan error, 1)
	began := time.Now()
	go func() {
		var all []byte
		for n := range uint32(packets) {
			all = protocol.AppendRequest(all, w.id, &protocol.UploadPacket{Upload: begun.Upload, Number: 2 + 2*n}, 1)
			all = append(all, 'x')
		}
		_, err := w.nc.Write(all)
		done <- err
	}()
	var state protocol.UploadState
	for range packets {
		code, payload, err := w.receive()
		if err != nil || protocol.Code(code) != protocol.CodeUploadState {
			t.Fatalf("answer %d, %v", code, err)
		}
		if err := state.DecodePayload(payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if state.Received != packets || state.MissingCount != packets || len(state.Missing) != protocol.MaxMissing {
		t.Errorf("%d received, %d missing in %d ranges", state.Received, state.MissingCount, len(state.Missing))
	}
	t.Logf("%d packets out of order in %v", packets, time.Since(began))
}
