package server_test

import (
	"errors"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/server/admin"
	"coffer/store"
)

// What is seen of a transfer is what has come of it, and cancelling it ends it.
func TestTransfers(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	if len(c.srv.Admin().Transfers()) != 0 {
		t.Error("a transfer before there is any")
	}
	plain := content(2, 200_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 4, Format: protocol.FormatSealedFile, Name: "f"})
	packets := cut(encrypt(up.key, plain), 60_000)
	w.packet(id, 1, false, packets[0])
	w.packet(id, 4, false, packets[3])
	list := c.srv.Admin().Transfers()
	if len(list) != 1 {
		t.Fatalf("transfers: %+v", list)
	}
	got := list[0]
	want := admin.Transfer{ID: store.UploadID(id), Client: "ada", Fingerprint: store.ClientID(w.id).Fingerprint(), File: "f",
		Format: uint8(protocol.FormatSealedFile), State: "receiving", Bytes: 60_000 + 20_016, Size: 200_016, OriginalSize: 200_000,
		Received: 2, Total: 4, Missing: 2, AttemptsLeft: 4, Started: got.Started, Changed: got.Changed,
		Expires: got.Changed.Add(24 * time.Hour), Left: -1}
	if got != want || got.Started.IsZero() || got.Changed.Before(got.Started) {
		t.Errorf("transfer:\n got %+v\nwant %+v", got, want)
	}
	c.restart()
	list = c.srv.Admin().Transfers()
	if len(list) != 1 || list[0].Bytes != want.Bytes || list[0].Client != "ada" || list[0].Missing != 2 {
		t.Errorf("after a restart: %+v", list)
	}
	w = w.beside(c.public)
	w.packet(id, 2, false, packets[1])
	w.packet(id, 3, false, packets[2])
	if list = c.srv.Admin().Transfers(); len(list) != 1 || list[0].State != "unconfirmed" || list[0].Bytes != list[0].Size {
		t.Errorf("complete: %+v", list)
	}
	if err := c.srv.Admin().CancelTransfer(t.Context(), store.UploadID(id)); err != nil {
		t.Fatal(err)
	}
	if err := c.srv.Admin().CancelTransfer(t.Context(), store.UploadID(id)); !errors.Is(err, admin.ErrNoTransfer) {
		t.Errorf("cancelled twice: %v", err)
	}
	w.fails(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}}, nil, protocol.StatusNotFound)
	c.stop()
	if done, findings := c.scrub(maintain.ScrubOptions{Unfinished: time.Nanosecond}); done.Orphans != 0 {
		t.Errorf("left behind: %v", findings)
	}
	c.start()
}
