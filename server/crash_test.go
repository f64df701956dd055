package server_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
	"coffer/store"
)

// A snapshotter keeps a copy of what is stored as it is after a record of an
// upload's log was written: what a crash right then would leave.
type snapshotter struct {
	store.Blobs
	from, to string
	after    int // records

	mu      sync.Mutex
	records int // guarded by mu
}

func (s *snapshotter) NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error) {
	part, err := s.Blobs.NewPart(ctx, id, header)
	return &snapshotPart{part, s}, err
}

type snapshotPart struct {
	store.Part
	s *snapshotter
}

func (p *snapshotPart) Log(record []byte) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if err := p.Part.Log(record); err != nil {
		return err
	}
	if p.s.records++; p.s.records != p.s.after {
		return nil
	}
	return os.CopyFS(p.s.to, os.DirFS(p.s.from))
}

// Wherever the server ends, an upload goes on with what is said to be missing,
// and becomes complete: also if nothing is.
func TestCrashAfterEachRecord(t *testing.T) {
	plain := content(110, 300_000)
	for _, total := range []uint32{0, 3} {
		for _, resume := range []func(w *wire, id protocol.UploadID, last []byte) protocol.UploadState{
			func(w *wire, id protocol.UploadID, _ []byte) (state protocol.UploadState) {
				w.ask(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}}, nil, &state)
				return state
			},
			func(w *wire, id protocol.UploadID, last []byte) protocol.UploadState {
				return w.packet(id, 3, true, last)
			},
			func(w *wire, id protocol.UploadID, last []byte) protocol.UploadState {
				return w.piece(w.open(id, 3, true, len(last)), last, 0, len(last))
			},
		} {
			for after := 1; ; after++ {
				w, id, packets := crashed(t, plain, total, after)
				if w == nil {
					break // there are no more records
				}
				state := resume(w, id, packets[2])
				for tries := 0; !state.Complete && tries < 4; tries++ {
					number := 3 // what ends an upload of which no more is known
					if len(state.Missing) > 0 {
						number = int(state.Missing[0].From)
					}
					state = w.packet(id, number, number == 3, packets[number-1])
				}
				if !state.Complete || state.Cksum != cksum.Sum(plain) {
					t.Errorf("total %d, after record %d: %+v", total, after, state)
					continue
				}
				w.confirmUpload(id, plain)
				w.expectStored("f", plain)
			}
		}
	}
}

// crashed uploads to a core that ends after a record of the upload's log, and
// connects to it when it runs again. Without so many records it returns nil.
func crashed(t *testing.T, plain []byte, total uint32, after int) (w *wire, id protocol.UploadID, packets [][]byte) {
	t.Helper()
	c, s := watchedCore(t, after)
	w = c.proven("client")
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: total, Name: "f"})
	packets = cut(encrypt(up.key, plain), 100_010)
	for _, n := range []int{2, 3, 1} {
		w.packet(id, n, n == 3, packets[n-1])
	}
	if !s.crash(c) {
		return nil, id, nil
	}
	return c.gateway(w), id, packets
}

// watchedCore is a core whose storage is copied after a record.
func watchedCore(t *testing.T, after int) (*core, *snapshotter) {
	t.Helper()
	var s *snapshotter
	c := startOnDisk(t, func(cfg *server.Config) {
		if s == nil { // what runs again is not watched
			s = &snapshotter{Blobs: cfg.Blobs, to: filepath.Join(t.TempDir(), "copy"), after: after}
			cfg.Blobs = s
		}
	})
	s.from = filepath.Join(c.folder(), "received_files")
	return c, s
}

// crash stops the core and, if there were so many records, starts it again with
// what was stored after the one.
func (s *snapshotter) crash(c *core) bool {
	c.t.Helper()
	c.stop()
	if s.records < s.after {
		return false
	}
	if err := os.RemoveAll(s.from); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(s.to, s.from); err != nil {
		c.t.Fatal(err)
	}
	c.start()
	return true
}

// An upload that is refused only when the next server goes on with it leaves
// nothing behind.
func TestCrashBeforeRefusal(t *testing.T) {
	c, s := watchedCore(t, 2)
	w := c.proven("client")
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: 199_999, Total: 2, Name: "f"})
	garbage := encrypt(up.key, content(111, 199_999))
	garbage[len(garbage)-17] ^= 1 // so that its padding of one byte says zero
	w.packet(id, 1, false, garbage[:100_000])
	w.fails(&protocol.UploadPacket{Upload: id, Number: 2}, garbage[100_000:], protocol.StatusInvalid)
	if !s.crash(c) {
		t.Fatal("the second packet was not noted")
	}
	w = c.gateway(w)
	ref := protocol.UploadRef{ByID: true, Upload: id}
	w.fails(&protocol.GetUpload{Ref: ref}, nil, protocol.StatusInvalid)
	w.fails(&protocol.GetUpload{Ref: ref}, nil, protocol.StatusNotFound)
	parts, err := os.ReadDir(filepath.Join(c.folder(), "received_files", "incoming"))
	if err != nil || len(parts) > 0 {
		t.Errorf("left behind: %v, %v", parts, err)
	}
}
