package server_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

// loseBlob removes the blob of a pack, as a failing disk would.
func (c *core) loseBlob(w *wire, pack []byte) {
	c.t.Helper()
	p, err := c.catalog.Pack(c.t.Context(), store.ClientID(w.id), store.PackID(idOf(pack)))
	if err == nil {
		err = c.blobs.Remove(c.t.Context(), p.Blob)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// A pack that is found damaged counts as missing, the snapshots that need it are
// named, and it is whole again once it was put again.
func TestDamagedPack(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w := c.proven("ada")
		a, b := content(1, 1000), content(2, 1000)
		for run, name := range []string{home, home, taxes} {
			w.beginRun(byte(run+1), name, 0)
			w.put(byte(run+1), a, b)
			w.commit(commit{run: byte(run + 1), name: name, before: uint32(run % 2), manifest: "m", added: [][]byte{a, b}})
		}
		w.done(&protocol.CheckPack{ID: idOf(a)})
		c.loseBlob(w, a)
		w.fails(&protocol.ReadPack{ID: idOf(a)}, nil, protocol.StatusConflict)
		w.fails(&protocol.CheckPack{ID: idOf(a)}, nil, protocol.StatusConflict)
		w.fails(&protocol.CheckPack{ID: protocol.PackID{1}}, nil, protocol.StatusNotFound)
		var named []string
		for _, line := range c.happened() {
			if strings.HasPrefix(line, "scrub failed") {
				named = append(named, line)
			}
		}
		if want := []string{"scrub failed ada " + taxes + "/1", "scrub failed ada " + home + "/1", "scrub failed ada " + home + "/2"}; !sameOnes(named, want) {
			t.Errorf("named: %q", named)
		}
		for _, s := range w.snapshots(true) {
			if s.Damaged != 1 {
				t.Errorf("%s: %d damaged packs", s.Name, s.Damaged)
			}
		}
		if packs := w.packsOf(home, 2); len(packs) != 2 || packs[0].Damaged == packs[1].Damaged {
			t.Errorf("packs: %+v", packs)
		}
		w.beginRun(9, home, 2)
		if missing := w.lacks(9, a, b); !slices.Equal(missing, idsOf([][]byte{a})) {
			t.Errorf("missing: %x", missing)
		}
		m, body := commit{run: 9, name: home, before: 2, base: 2, manifest: "m"}.message()
		w.ask(m, body, new(protocol.PacksMissing))
		w.put(9, a)
		for _, s := range w.snapshots(true) {
			if w.whole(s); s.Damaged != 0 {
				t.Errorf("%s: %d damaged packs", s.Name, s.Damaged)
			}
		}
	})
}

func sameOnes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// What is damaged and cannot be put again is mended: the snapshot then needs
// what the mend names, too.
func TestMendSnapshot(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w := c.proven("client")
		a, other := content(1, 1000), content(2, 1000)
		w.beginRun(1, home, 0)
		w.put(1, a)
		w.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{a}})
		w.beginRun(2, home, 1)
		large := content(3, 100_000)
		mend := &protocol.MendSnapshot{Run: runID(2), Version: 1, Added: idsOf([][]byte{other}), Name: home, Record: large}
		var missing protocol.PacksMissing
		w.ask(mend, nil, &missing)
		if !slices.Equal(missing.IDs, mend.Added) {
			t.Errorf("missing: %x", missing.IDs)
		}
		w.put(2, other)
		w.done(mend)
		w.done(mend) // again: it is there
		w.done(&protocol.MendSnapshot{Run: runID(2), Name: home, Record: []byte("second")})
		w.fails(&protocol.MendSnapshot{Run: runID(2), Version: 2, Name: home, Record: []byte("r")}, nil, protocol.StatusNotFound)
		w.fails(&protocol.MendSnapshot{Run: runID(3), Version: 1, Name: home, Record: []byte("r")}, nil, protocol.StatusNotFound)
		w.done(&protocol.EndRun{Run: runID(2)})
		c.sweep()
		c.sweep()
		c.restart()
		w = w.beside(c.public)
		var mends protocol.Mends
		w.ask(&protocol.ListMends{Name: home}, nil, &mends)
		if len(mends.Records) != 2 || string(mends.Records[0]) != string(large) || string(mends.Records[1]) != "second" || mends.More {
			t.Errorf("%d mends", len(mends.Records))
		}
		w.ask(&protocol.ListMends{Version: 1, After: 1, Name: home}, nil, &mends)
		if len(mends.Records) != 1 || string(mends.Records[0]) != "second" {
			t.Errorf("%q", mends.Records)
		}
		w.fails(&protocol.ListMends{Name: taxes}, nil, protocol.StatusNotFound)
		if s := w.snapshots(false)[0]; s.Mends != 2 || s.Packs != 1 || len(w.packsOf(home, 1)) != 2 {
			t.Errorf("listed: %+v", s)
		}
		w.readPack(idOf(other), 0, 0)
		w.done(&protocol.DeleteFile{Name: home})
		if n := c.manifests(); n != 0 {
			t.Errorf("%d manifests and mends are left", n)
		}
	})
}

// A suspended client's pack is cut off in the middle, and nothing of it stays.
func TestPutPackSuspended(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	w.beginRun(1, home, 0)
	pack := content(1, 1_000_000)
	w.write(w.header(uint16(protocol.CodePutPack), 48+len(pack)))
	run, id := runID(1), idOf(pack)
	w.write(slices.Concat(run[:], id[:], pack[:100_000]))
	eventually(t, "the pack comes in", func() bool { return c.srv.Puts() == 1 })
	if err := c.srv.Admin().SuspendClient(t.Context(), "client"); err != nil {
		t.Fatal(err)
	}
	w.write(pack[100_000:200_000])
	if f := w.failure(); f != protocol.StatusForbidden {
		t.Errorf("answer: %v", f)
	}
	eventually(t, "the put ends", func() bool { return c.srv.Puts() == 0 })
	if n := c.packBlobs(); n != 0 {
		t.Errorf("%d packs are stored", n)
	}
}

// A sink takes packs and keeps none of their bytes.
type sink struct {
	store.Blobs
	bytes atomic.Int64
}

func (s *sink) CreatePack(context.Context, store.PackMetadata) (store.PackWriter, error) {
	return &sunk{s, sha256.New()}, nil
}

type sunk struct {
	s *sink
	hash.Hash
}

func (w *sunk) Write(p []byte) (int, error) {
	w.s.bytes.Add(int64(len(p)))
	return len(p), nil
}
func (*sunk) Commit(context.Context) (store.BlobRef, error) { return "sunk", nil }
func (*sunk) Discard() error                                { return nil }

// Packs go from the socket to storage: however many come in at once, and however
// large they are, no memory grows with them.
func TestPutPackInConstantMemory(t *testing.T) {
	const clients, size = 64, 4 << 20
	s := new(sink)
	c := startCore(t, func(cfg *server.Config) {
		s.Blobs, cfg.Blobs = cfg.Blobs, s
		cfg.MaxPutsPerAccount, cfg.MaxPerAccount = clients, 0
	})
	w := c.proven("client")
	packs := make([][]byte, clients)
	shared := content(1, size)
	var wires []*wire
	for i := range packs {
		w.beginRun(byte(i+1), home, 0)
		wires = append(wires, w.beside(c.public))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var together sync.WaitGroup
	for i, v := range wires {
		// All but the first byte is shared: this side allocates nothing, either.
		first := []byte{byte(i)}
		sum := sha256.New()
		sum.Write(first)
		sum.Write(shared)
		run, id := runID(byte(i+1)), protocol.PackID(sum.Sum(nil))
		together.Go(func() {
			v.write(v.header(uint16(protocol.CodePutPack), 48+1+size))
			v.write(run[:])
			v.write(id[:])
			v.write(first)
			v.write(shared)
			v.expect(uint16(protocol.CodeDone))
		})
	}
	together.Wait()
	runtime.ReadMemStats(&after)
	if got := s.bytes.Load(); got != clients*(size+1) {
		t.Fatalf("%d bytes came in", got)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > clients*256<<10 {
		t.Errorf("%d bytes were allocated for %d packs of %d bytes", allocated, clients, size)
	}
}

// Puts beyond those that may come in at once are to be sent again.
func TestPutsAreBounded(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPuts, cfg.MaxPutsPerAccount = 2, 1 })
	w := c.proven("client")
	w.beginRun(1, home, 0)
	pack := content(1, 100_000)
	slow := w.beside(c.public)
	slow.write(slow.header(uint16(protocol.CodePutPack), 48+len(pack)))
	run, id := runID(1), idOf(pack)
	slow.write(slices.Concat(run[:], id[:], pack[:10]))
	eventually(t, "the pack comes in", func() bool { return c.srv.Puts() == 1 })
	w.fails(&protocol.PutPack{Run: runID(1), ID: idOf(pack)}, pack, protocol.StatusBusy)
	other := c.proven("other")
	other.beginRun(1, home, 0)
	other.put(1, pack)
	slow.write(pack[10:])
	slow.expect(uint16(protocol.CodeDone))
	w.put(1, pack)
}

// A failure of storage is the server's, and leaves the run as it was.
func TestPutPackOnFullDisk(t *testing.T) {
	full := new(fullPacks)
	c := startCore(t, func(cfg *server.Config) { full.Blobs, cfg.Blobs = cfg.Blobs, full })
	w := c.proven("client")
	w.beginRun(1, home, 0)
	pack := content(1, 1000)
	full.on.Store(true)
	w.fails(&protocol.PutPack{Run: runID(1), ID: idOf(pack)}, pack, protocol.StatusNoSpace)
	if len(w.lacks(1, pack)) != 1 {
		t.Error("it is there")
	}
	full.on.Store(false)
	w.put(1, pack)
}

type fullPacks struct {
	store.Blobs
	on atomic.Bool
}

func (b *fullPacks) CreatePack(ctx context.Context, meta store.PackMetadata) (store.PackWriter, error) {
	if b.on.Load() {
		return nil, errors.Join(store.ErrFull, errors.New("no space left on device"))
	}
	return b.Blobs.CreatePack(ctx, meta)
}
