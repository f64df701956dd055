package server_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"coffer/protocol"
	"coffer/server"
)

// beginEmpty begins an upload and sends nothing.
func (w *wire) beginEmpty(name string) protocol.UploadID {
	w.t.Helper()
	var begun protocol.UploadBegun
	w.ask(&protocol.BeginUpload{OriginalSize: 1 << 20, Total: 2, Name: name}, nil, &begun)
	return begun.Upload
}

func (w *wire) hasUpload(id protocol.UploadID) bool {
	w.t.Helper()
	w.request(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}}, nil)
	code, payload, err := w.receive()
	if err != nil {
		w.t.Fatal(err)
	}
	if code == uint16(protocol.CodeFailure) && protocol.Status(le.Uint16(payload)) != protocol.StatusNotFound {
		w.t.Fatalf("failure %x", payload)
	}
	return code == uint16(protocol.CodeUploadState)
}

// provenFrom is a client whose connection comes from an address.
func (c *core) provenFrom(ip, name string) *wire {
	c.t.Helper()
	w := dialFrom(c.t, ip, c.public)
	w.register(name)
	w.sendKey("rsa1024_e17")
	w.prove()
	return w
}

// Unfinished uploads of one address make room for each other, and for nobody
// else; what has stood still for longest goes first.
func TestUploadsPerAddress(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploadsPerAddress = 3 })
	owner := c.provenFrom("127.0.0.2", "owner")
	kept := owner.beginEmpty("kept")
	w := c.provenFrom("127.0.0.3", "flood")
	var ids []protocol.UploadID
	for i := range 5 {
		ids = append(ids, w.beginEmpty(fmt.Sprint("file ", i)))
	}
	for i, id := range ids {
		if got, want := w.hasUpload(id), i >= 2; got != want {
			t.Errorf("upload %d is there: %v", i, got)
		}
	}
	if !owner.hasUpload(kept) {
		t.Error("another address lost its upload")
	}
}

// A full server takes room from the address that holds the most, whatever
// address begins an upload; of it from the account that has the most.
func TestUploadsInAll(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploadsInAll = 12 })
	owner := c.provenFrom("127.0.0.2", "owner")
	kept := owner.beginEmpty("kept")
	neighbour := c.provenFrom("127.0.0.3", "neighbour") // behind the same address as the flood
	beside := neighbour.beginEmpty("beside")
	flood := c.provenFrom("127.0.0.3", "flood")
	for i := range 40 {
		flood.beginEmpty(fmt.Sprint("file ", i))
	}
	if got := c.srv.Admin().Stats(t.Context()).Uploads; got != 12 {
		t.Errorf("%d unfinished uploads", got)
	}
	late := c.provenFrom("127.0.0.4", "late")
	for i := range 3 {
		if id := late.beginEmpty(fmt.Sprint("late ", i)); !late.hasUpload(id) {
			t.Error("a newcomer's upload is gone")
		}
	}
	if !owner.hasUpload(kept) || !neighbour.hasUpload(beside) {
		t.Error("who holds little lost it to a flood")
	}
	for i := range 3 {
		owner.store(fmt.Sprint("whole ", i), []byte("content"), 100)
	}
}

// Base uploads, which prove nothing, go before uploads of proven connections;
// their connection is closed, since their client would wait for an answer in
// vain. A quarter is reserved for them.
func TestBaseUploadsMakeRoom(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploadsInAll = 8 })
	owner := c.provenFrom("127.0.0.2", "owner")
	var ids []protocol.UploadID
	for i := range 4 {
		ids = append(ids, owner.beginEmpty(fmt.Sprint("file ", i)))
	}
	var flood []*wire
	for i := range 6 {
		w := c.provenFrom("127.0.0.3", fmt.Sprint("flood ", i))
		frames := w.frames("half", content(uint64(i), 5000), 1000)
		w.write(frames[0])
		w.quiet()
		flood = append(flood, w)
	}
	for _, w := range flood[:2] {
		w.closed()
	}
	for _, id := range ids {
		if !owner.hasUpload(id) {
			t.Error("a proven upload made room for base uploads")
		}
	}
	for i := range 4 {
		owner.beginEmpty(fmt.Sprint("more ", i))
	}
	eventually(t, "no more than the bound", func() bool { return c.srv.Admin().Stats(t.Context()).Uploads == 8 })
	base := c.provenFrom("127.0.0.5", "base")
	base.store("small", []byte("content"), 100)
}

// Where an upload was begun is still known after a restart, and over HTTP it is
// the caller's address that counts.
func TestUploadRoomOfCallers(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploadsPerAddress = 2 })
	w := c.proven("client")
	from := func(address string, name string) protocol.UploadID {
		t.Helper()
		g := c.gateway(w)
		g.request(&protocol.Caller{Address: netip.MustParseAddr(address)}, nil)
		id, up := g.begin(&protocol.BeginUpload{OriginalSize: 1000, Total: 3, Name: name})
		g.packet(id, 1, false, encrypt(up.key, content(1, 1000))[:400])
		return id
	}
	first, other := from("2001:db8::1", "first"), from("2001:db8:1::1", "other")
	from("2001:db8::ffff", "second")
	c.restart()
	from("2001:db8::2", "third")
	g := c.gateway(w)
	if g.hasUpload(first) {
		t.Error("the /64 holds more than it may")
	}
	if !g.hasUpload(other) {
		t.Error("another /64 lost its upload")
	}
}

// Small content is in memory until there is too much of it, and is whole either
// way.
func TestSmallContentIsBounded(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploadsPerAddress, cfg.MaxPerAddress = 0, 0 })
	const each, files = 60_000, 1200 // 72 MB
	var clients []*wire
	plain := content(3, each)
	for n := 0; n < files; {
		w := c.newClient(fmt.Sprint("client ", n))
		for range 60 {
			w.write(w.frames(fmt.Sprint("file ", n), plain, each-1000)[0])
			n++
		}
		w.quiet()
		clients = append(clients, w)
	}
	last := clients[len(clients)-1]
	last.write(last.frames(fmt.Sprint("file ", files-1), plain, each-1000)[1])
	last.expectFile(fmt.Sprint("file ", files-1), plain)
	last.confirm(fmt.Sprint("file ", files-1))
	clients[0].write(clients[0].frames("file 0", plain, each-1000)[1])
	clients[0].expectFile("file 0", plain)
	if memory := c.srv.SmallContent(); memory > 64<<20 {
		t.Errorf("%d bytes in memory", memory)
	}
	for _, w := range clients {
		w.nc.Close()
	}
	eventually(t, "it is given back", func() bool { return c.srv.SmallContent() == 0 })
}

// One account has as many versions as one may have, of one file or of many, of
// any size and by either protocol; others go on, and removing makes room.
func TestVersionsPerAccount(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxVersions = 3 })
	w := c.newClient("ada")
	w.prove()
	w.store("same", nil, 100)
	w.store("same", []byte("x"), 100)
	w.store("other", nil, 100)
	w.write(w.frames("same", nil, 100)[0])
	w.expectEmpty(1607)
	if says := w.fails(&protocol.BeginUpload{OriginalSize: 1, Total: 1, Name: "third"}, nil, protocol.StatusTooMany); !strings.Contains(says, "3 file versions") {
		t.Errorf("%q", says)
	}
	c.newClient("ben").store("same", nil, 100)
	w.done(&protocol.DeleteFile{Name: "other"})
	w.store("same", nil, 100)
}
