package server_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"coffer/protocol"
	"coffer/server"
)

// An address registers a limited number of clients; other addresses are not
// affected, and clients without content cost no file.
func TestRegistrationsPerAddress(t *testing.T) {
	c := startOnDisk(t, func(cfg *server.Config) { cfg.RegistrationRate = 3 })
	w := dial(t, c.public)
	for n := range 3 {
		w.register("flood " + strconv.Itoa(n))
	}
	for n := range 20 {
		var field [255]byte
		copy(field[:], "more "+strconv.Itoa(n))
		w.send(1025, field[:])
		w.expectEmpty(1607)
	}
	if records, err := os.ReadDir(filepath.Join(c.folder(), "received_files", "clients")); err != nil || len(records) != 0 {
		t.Errorf("%d account records of clients without content, %v", len(records), err)
	}
	dialFrom(t, "127.0.0.2", c.public).register("elsewhere")
}

// Room is taken before it is written, and what was not written is not given
// away twice.
func TestSpaceIsReserved(t *testing.T) {
	const least, mib = 1 << 30, 1 << 20
	var free atomic.Uint64
	free.Store(least + 9*mib)
	s := server.NewSpace(least, func() (uint64, uint64, error) { return free.Load(), 1 << 40, nil }, filepath.Join(t.TempDir(), "reserve"), slog.New(slog.DiscardHandler))
	first, ok := s.Reserve(6 * mib)
	if !ok {
		t.Fatal("there is room for 6 MiB")
	}
	if _, ok := s.Reserve(6 * mib); ok {
		t.Error("9 MiB were given away twice")
	}
	free.Store(least + 3*mib) // the first has been written
	first()
	if _, ok := s.Reserve(4 * mib); ok {
		t.Error("what was written counts as room")
	}
	if _, ok := s.Reserve(3 * mib); !ok {
		t.Error("there is room for 3 MiB")
	}
}

// Nobody looks at the disk here but who is about to write: content, accounts
// and keys are refused at the minimum, whatever reads and removes goes on.
func TestNothingIsWrittenBelowTheMinimum(t *testing.T) {
	var free atomic.Uint64
	free.Store(1<<30 + 9<<20)
	c := startCore(t, func(cfg *server.Config) {
		cfg.Space = server.NewSpace(1<<30, func() (uint64, uint64, error) { return free.Load(), 1 << 40, nil }, filepath.Join(t.TempDir(), "reserve"), cfg.Log)
	})
	w := c.proven("client")
	w.store("f", []byte("content"), 100)
	free.Store(1 << 30)
	frames := w.frames("big", content(7, 12<<20), 1<<20)
	for _, f := range frames {
		w.write(f)
	}
	w.expectEmpty(1607)
	newcomer := dial(t, c.public)
	var field [255]byte
	copy(field[:], "newcomer")
	eventually(t, "nobody can register", func() bool {
		field[254]++
		newcomer.send(1025, field[:])
		code, _, err := newcomer.receive()
		return err == nil && code == 1607
	})
	w.fails(&protocol.PutKeyBundle{Bundle: make([]byte, 60<<10)}, nil, protocol.StatusNoSpace)
	w.reconnect()
	w.prove()
	w.expectStored("f", []byte("content"))
	w.done(&protocol.DeleteFile{Name: "f"})
}
