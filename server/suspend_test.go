package server_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
	"coffer/store"
)

// A suspended client is refused at once, on every connection and whatever it
// was doing, also by way of the gateway and after a restart; nothing of its is
// lost, and resumed it goes on where it was.
func TestSuspend(t *testing.T) {
	c := startCore(t, nil)
	w, other := c.proven("ada"), c.proven("bob")
	w.store("f", content(1, 100_000), 200_000)
	plain := content(2, 4_000_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 2, Name: "half"})
	packets := cut(encrypt(up.key, plain), 2_000_008)
	w.packet(id, 1, false, packets[0])
	idle, gateway, midway := w.another(c.public), c.gateway(w), w.beside(c.public)
	// Half of a packet has come when the client is suspended.
	frame := append(protocol.AppendRequest(nil, w.id, &protocol.UploadPacket{Upload: id, Number: 2}, uint32(len(packets[1]))), packets[1]...)
	midway.write(frame[:1_000_000])
	eventually(t, "the packet is on its way", func() bool { return c.srv.Admin().Transfers()[0].Bytes > 2_500_000 })

	if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	midway.nc.Write(frame[1_000_000:]) // as far as it is still taken
	midway.expect(uint16(protocol.CodeFailure))
	midway.closed()
	w.fails(listAll(), nil, protocol.StatusForbidden)
	w.send(1029, field("f"))
	w.expectEmpty(1607)
	w.write(w.frames("g", content(3, 10), 100)[0])
	w.expectEmpty(1607)
	idle.send(1027, field("ada"))
	idle.expectEmpty(1607)
	gateway.fails(listAll(), nil, protocol.StatusForbidden)
	gateway.fails(&protocol.SignIn{Method: protocol.SignInByName, Name: "ada"}, nil, protocol.StatusForbidden)
	other.list(listAll())
	info, err := c.srv.Admin().Client(t.Context(), "ada")
	if err != nil || !info.Suspended || c.srv.Admin().Stats(t.Context()).Suspended != 1 {
		t.Errorf("%+v, error %v", info, err)
	}
	c.restart()
	w = w.another(c.public)
	w.send(1027, field("ada"))
	w.expectEmpty(1607)
	c.stop()
	c.loseCatalog()
	c.rebuild()
	c.start()
	w = w.another(c.public)
	w.send(1027, field("ada"))
	w.expectEmpty(1607)

	if err := c.srv.Admin().ResumeClient(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w.reconnect()
	w.prove()
	w.expectStored("f", content(1, 100_000))
	s := w.packet(id, 2, false, packets[1])
	if !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Errorf("the upload went on to %+v", s)
	}
	for name, do := range map[string]func() error{
		"suspend": func() error { return c.srv.Admin().SuspendClient(t.Context(), "nobody") },
		"resume":  func() error { return c.srv.Admin().ResumeClient(t.Context(), "nobody") },
		"end":     func() error { return c.srv.Admin().EndSession(t.Context(), "nobody") },
		"remove":  func() error { return c.srv.Admin().RemoveClient(t.Context(), "nobody") },
	} {
		if err := do(); !errors.Is(err, store.ErrNoClient) {
			t.Errorf("%s nobody: %v", name, err)
		}
	}
}

// readOnly is a catalog that changes no client while it is.
type readOnly struct {
	store.Catalog
	is *atomic.Bool
}

func (c readOnly) UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error) {
	if c.is.Load() {
		return store.Client{}, store.ErrBusy
	}
	return c.Catalog.UpdateClient(ctx, id, change)
}

// A client that could not be suspended is served, as the catalog says.
func TestSuspendFails(t *testing.T) {
	var is atomic.Bool
	c := startCore(t, func(cfg *server.Config) { cfg.Catalog = readOnly{cfg.Catalog, &is} })
	w := c.proven("ada")
	is.Store(true)
	if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); !errors.Is(err, store.ErrBusy) {
		t.Errorf("suspended: %v", err)
	}
	w.list(listAll())
	if n := c.srv.Admin().Stats(t.Context()).Suspended; n != 0 {
		t.Errorf("%d are suspended", n)
	}
}
