package server_test

import (
	"errors"
	"sync"
	"testing"

	"coffer/protocol"
	"coffer/store"
)

// uploadUntilRefused uploads, in each of the ways there are, until the account
// is gone.
func (w *wire) uploadUntilRefused(what int, started func()) {
	ok := func(m protocol.Message, content []byte, answer protocol.Decoder) bool {
		w.request(m, content)
		code, payload, err := w.receive()
		return err == nil && code == uint16(answer.Code()) && answer.DecodePayload(payload) == nil
	}
	plain := content(uint64(120+what), 100_000)
	packets := cut(encrypt(w.key, plain), 40_000)
	for range 1000 {
		var begun protocol.UploadBegun
		var state protocol.UploadState
		switch what % 3 {
		case 0: // a beginning and nothing more
			if !ok(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "begun"}, nil, &begun) {
				return
			}
			started()
			if !ok(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: begun.Upload}}, nil, new(protocol.Done)) {
				return
			}
		case 1: // packets before their turn
			if !ok(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "ahead"}, nil, &begun) ||
				!ok(&protocol.UploadPacket{Upload: begun.Upload, Number: 2}, packets[1], &state) {
				return
			}
			started()
			if !ok(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: begun.Upload}}, nil, new(protocol.Done)) {
				return
			}
		default: // whole files by their name
			name, err := protocol.NewField("named")
			if err != nil {
				w.t.Error(err)
				return
			}
			for i, p := range packets {
				m := &protocol.NamedPacket{OriginalSize: uint64(len(plain)), Number: uint32(i + 1), Total: uint32(len(packets)), Name: name}
				if !ok(m, p, &state) {
					return
				}
			}
			started()
			if !ok(&protocol.VerifyUpload{Cksum: state.Cksum, Ref: protocol.UploadRef{Name: "named"}}, nil, new(protocol.VerifyResult)) {
				return
			}
		}
	}
	w.t.Error("uploads went on when the account was gone")
}

// Whatever a client is sending while its account is removed, nothing of it
// stays.
func TestRemovalDuringUploads(t *testing.T) {
	c := startCore(t, nil)
	other := c.proven("other")
	other.store("kept", []byte("y"), 1000)
	g := dial(t, c.internal)
	for range 20 {
		w := c.proven("client")
		const senders = 6
		var begun, ended sync.WaitGroup
		begun.Add(senders)
		for i := range senders {
			sender := c.gateway(w)
			ended.Go(func() {
				once := sync.OnceFunc(begun.Done)
				defer once() // whatever comes
				sender.uploadUntilRefused(i, once)
			})
		}
		begun.Wait()
		c.gateway(w).done(&protocol.RemoveAccount{})
		ended.Wait()
		var status protocol.ServerStatus
		if g.ask(&protocol.GetStatus{}, nil, &status); status.Uploads != 0 {
			t.Fatalf("%d uploads of nobody are left", status.Uploads)
		}
	}
	c.onlyKept(t, other)
	c.stop()
	c.open()
	defer func() { c.closeStorage(); c.start() }()
	err := c.blobs.Parts(t.Context(), func(p store.Part, _ []byte, _ [][]byte) error {
		t.Error("the packets of an upload are left")
		return p.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

// The operator removes a client with all its files, be it suspended or not.
func TestRemoveClient(t *testing.T) {
	for _, suspend := range []bool{false, true} {
		c := startCore(t, nil)
		w, other := c.proven("ada"), c.proven("bob")
		w.store("f", content(1, 100_000), 200_000)
		w.begin(&protocol.BeginUpload{OriginalSize: 100, Name: "unfinished"})
		other.store("kept", content(2, 100_000), 200_000)
		if suspend {
			if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.srv.Admin().RemoveClient(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		w.fails(listAll(), nil, protocol.StatusNoSession)
		w.send(1027, field("ada"))
		w.expectID(1606)
		if _, err := c.srv.Admin().Client(t.Context(), "ada"); !errors.Is(err, store.ErrNoClient) {
			t.Errorf("the client is %v", err)
		}
		if n := len(c.srv.Admin().Transfers()); n != 0 {
			t.Errorf("%d transfers are left", n)
		}
		c.onlyKept(t, other)
	}
}
