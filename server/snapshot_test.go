package server_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

// Two names that snapshots may have.
var (
	home  = "s/" + strings.Repeat("0a", 16)
	taxes = "s/" + strings.Repeat("f7", 16)
)

func runID(n byte) protocol.RunID { return protocol.RunID{n, 15: n} }

func idOf(pack []byte) protocol.PackID { return sha256.Sum256(pack) }

// beginRun begins a run, or goes on with it.
func (w *wire) beginRun(n byte, name string, base uint32) (begun protocol.RunBegun) {
	w.t.Helper()
	w.ask(&protocol.BeginRun{Run: runID(n), Base: base, Name: name}, nil, &begun)
	return begun
}

// put puts packs, under the run n.
func (w *wire) put(n byte, packs ...[]byte) {
	w.t.Helper()
	for _, p := range packs {
		w.ask(&protocol.PutPack{Run: runID(n), ID: idOf(p)}, p, new(protocol.Done))
	}
}

// lacks asks which of some packs are missing.
func (w *wire) lacks(n byte, packs ...[]byte) []protocol.PackID {
	w.t.Helper()
	var missing protocol.PacksMissing
	w.ask(&protocol.AskPacks{Run: runID(n), IDs: idsOf(packs)}, nil, &missing)
	return missing.IDs
}

func idsOf(packs [][]byte) (ids []protocol.PackID) {
	for _, p := range packs {
		ids = append(ids, idOf(p))
	}
	return ids
}

// A commit is what a CommitSnapshot has.
type commit struct {
	run            byte
	name           string
	before, base   uint32
	head, manifest string
	added, dropped [][]byte
}

func (c commit) message() (*protocol.CommitSnapshot, []byte) {
	body := []byte(c.name + c.head)
	for _, p := range slices.Concat(c.added, c.dropped) {
		id := idOf(p)
		body = append(body, id[:]...)
	}
	return &protocol.CommitSnapshot{Run: runID(c.run), Before: c.before, Base: c.base, NameSize: uint16(len(c.name)), HeadSize: uint16(len(c.head)),
		Added: uint32(len(c.added)), Dropped: uint32(len(c.dropped)), ManifestSize: uint32(len(c.manifest))}, append(body, c.manifest...)
}

// commit commits a snapshot and returns its version.
func (w *wire) commit(c commit) uint32 {
	w.t.Helper()
	m, body := c.message()
	var done protocol.SnapshotCommitted
	w.ask(m, body, &done)
	return done.Version
}

func (w *wire) snapshots(all bool) []protocol.SnapshotEntry {
	w.t.Helper()
	var list protocol.SnapshotList
	w.ask(&protocol.ListSnapshots{Limit: 1000, AllVersions: all}, nil, &list)
	return list.Snapshots
}

func (w *wire) packsOf(name string, version uint32) []protocol.PackEntry {
	w.t.Helper()
	var list protocol.PackList
	w.ask(&protocol.SnapshotPacks{Version: version, Limit: 1000, Name: name}, nil, &list)
	return list.Packs
}

// readPack reads a range of a pack.
func (w *wire) readPack(id protocol.PackID, offset uint64, length uint32) []byte {
	w.t.Helper()
	w.request(&protocol.ReadPack{ID: id, Offset: offset, Length: length}, nil)
	return w.expect(uint16(protocol.CodePackContent))[16:]
}

// whole reads all that a snapshot needs, and fails unless it is all there.
func (w *wire) whole(s protocol.SnapshotEntry) {
	w.t.Helper()
	if manifest := w.read(s.Name, s.Version, 0, 0); sha256.Sum256(manifest) != s.SHA256 {
		w.t.Errorf("version %d: another manifest", s.Version)
	}
	packs := w.packsOf(s.Name, s.Version)
	if len(packs) != int(s.Packs) {
		w.t.Errorf("version %d: %d packs, %d are listed", s.Version, s.Packs, len(packs))
	}
	for _, p := range packs {
		if idOf(w.readPack(p.ID, 0, 0)) != p.ID {
			w.t.Errorf("version %d: a pack is another", s.Version)
		}
	}
}

// onBoth runs a test with data in memory, and on the disk.
func onBoth(t *testing.T, adjust func(*server.Config), test func(t *testing.T, c *core)) {
	t.Run("memory", func(t *testing.T) { test(t, startCore(t, adjust)) })
	t.Run("disk", func(t *testing.T) { test(t, startOnDisk(t, adjust)) })
}

// noSweeps leaves sweeping to the test.
func noSweeps(cfg *server.Config) { cfg.SweepEvery, cfg.SweepGrace = 0, 0 }

func (c *core) sweep() {
	c.t.Helper()
	if err := c.srv.Sweep(c.t.Context(), time.Hour); err != nil {
		c.t.Error(err)
	}
}

// A snapshot, a second one that shares with it, and what is left when the first
// is removed.
func TestSnapshots(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w := c.proven("client")
		a, b, d := content(1, 300_000), content(2, 70_000), content(3, 10)
		if begun := w.beginRun(1, home, 0); begun.Newest != 0 || begun.TTL != 7*24*time.Hour || begun.MaxPack != protocol.MaxPack {
			t.Errorf("begun: %+v", begun)
		}
		if missing := w.lacks(1, a, b); !slices.Equal(missing, idsOf([][]byte{a, b})) {
			t.Errorf("missing: %x", missing)
		}
		w.put(1, a, b, a)
		if missing := w.lacks(1, a, b, d); !slices.Equal(missing, idsOf([][]byte{d})) {
			t.Errorf("missing: %x", missing)
		}
		large := string(content(4, 200_000)) // a manifest that is no small blob
		first := commit{run: 1, name: home, head: "head", manifest: large, added: [][]byte{a, b}}
		if v := w.commit(first); v != 1 {
			t.Errorf("version %d", v)
		}
		if v := w.commit(first); v != 1 {
			t.Errorf("repeated: version %d", v)
		}

		if begun := w.beginRun(2, home, 1); begun.Newest != 1 {
			t.Errorf("begun: %+v", begun)
		}
		w.put(2, d)
		if v := w.commit(commit{run: 2, name: home, before: 1, base: 1, head: "second", manifest: "m2", added: [][]byte{d}, dropped: [][]byte{a}}); v != 2 {
			t.Errorf("version %d", v)
		}
		list := w.snapshots(true)
		if len(list) != 2 || list[0].Version != 2 || string(list[0].Head) != "second" || list[0].Run != runID(2) || list[0].Format != protocol.FormatSnapshot ||
			list[0].Packs != 2 || list[0].Bytes != 70_010 || list[1].Packs != 2 || list[1].Bytes != 370_000 || string(list[1].Head) != "head" {
			t.Fatalf("listed: %+v", list)
		}
		for _, s := range list {
			w.whole(s)
		}
		var info protocol.FileInfo
		w.ask(&protocol.GetFile{Name: home}, nil, &info)
		if info.Version != 2 || info.Format != protocol.FormatSnapshot || len(info.WrappedKey) != 0 || info.Size != 2 {
			t.Errorf("info: %+v", info)
		}
		if got := w.readPack(idOf(a), 100, 50); !bytes.Equal(got, a[100:150]) {
			t.Error("a range is another")
		}
		w.fails(&protocol.ReadPack{ID: idOf(a), Offset: 300_001}, nil, protocol.StatusInvalid)

		w.done(&protocol.DeleteFile{Version: 1, Name: home})
		c.sweep() // marks
		c.sweep() // removes
		w.fails(&protocol.ReadPack{ID: idOf(a)}, nil, protocol.StatusNotFound)
		if list := w.snapshots(true); len(list) != 1 {
			t.Errorf("listed: %+v", list)
		} else {
			w.whole(list[0])
		}
		if n := c.packBlobs(); n != 2 {
			t.Errorf("%d packs are stored", n)
		}
		w.done(&protocol.ReportVerified{Version: 2, Packs: 2, Bytes: 70_010, Name: home})

		c.restart()
		w = w.beside(c.public)
		for _, s := range w.snapshots(false) {
			w.whole(s)
		}
	})
}

// packBlobs counts the packs that are stored.
func (c *core) packBlobs() (n int) {
	c.t.Helper()
	if err := c.blobs.WalkPacks(c.t.Context(), func(store.StoredPack) error { n++; return nil }); err != nil {
		c.t.Error(err)
	}
	return n
}

// manifests counts the blobs that are no packs.
func (c *core) manifests() (n int) {
	c.t.Helper()
	if err := c.blobs.Walk(c.t.Context(), func(store.StoredBlob) error { n++; return nil }); err != nil {
		c.t.Error(err)
	}
	return n
}

func TestPutPackRefused(t *testing.T) {
	onBoth(t, func(cfg *server.Config) { cfg.MaxRunPacks = 2 }, func(t *testing.T, c *core) {
		w := c.proven("client")
		a, b, d := content(1, 100_000), content(2, 5), content(3, 6)
		w.beginRun(1, home, 0)
		w.fails(&protocol.PutPack{Run: runID(1), ID: idOf(b)}, a, protocol.StatusInvalid)
		w.fails(&protocol.PutPack{Run: runID(1), ID: idOf(nil)}, nil, protocol.StatusInvalid)
		w.fails(&protocol.PutPack{Run: runID(2), ID: idOf(a)}, a, protocol.StatusNotFound)
		c.proven("other").fails(&protocol.PutPack{Run: runID(1), ID: idOf(a)}, a, protocol.StatusNotFound)
		w.fails(&protocol.AskPacks{Run: runID(1)}, nil, protocol.StatusInvalid)
		w.fails(&protocol.AskPacks{Run: runID(2), IDs: idsOf([][]byte{a})}, nil, protocol.StatusNotFound)
		if n := c.packBlobs(); n != 0 || len(w.lacks(1, a, b)) != 2 {
			t.Errorf("%d packs are stored", n)
		}
		w.put(1, a, b)
		w.fails(&protocol.PutPack{Run: runID(1), ID: idOf(d)}, d, protocol.StatusTooMany)
		w.done(&protocol.EndRun{Run: runID(1)})
		w.done(&protocol.EndRun{Run: runID(1)})
		w.fails(&protocol.PutPack{Run: runID(1), ID: idOf(d)}, d, protocol.StatusNotFound)
	})
}

// A pack larger than any is refused before it is read.
func TestPutPackTooLarge(t *testing.T) {
	w := startCore(t, nil).proven("client")
	w.write(w.header(uint16(protocol.CodePutPack), 48+protocol.MaxPack+1))
	w.expect(uint16(protocol.CodeFailure))
	w.closed()
}

// Packs are no packets: where those are to be small, packs may be what they are.
func TestPacksAreNoPackets(t *testing.T) {
	w := startCore(t, func(cfg *server.Config) { cfg.MaxPacket = 64 << 10 }).proven("client")
	w.beginRun(1, home, 0)
	w.put(1, content(1, 300_000))
}

// Of a pack whose connection breaks in the middle nothing is left, and the run
// goes on over another one.
func TestPutPackCut(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, c *core) {
		w := c.proven("client")
		pack := content(1, 500_000)
		w.beginRun(1, home, 0)
		v := w.beside(c.public)
		v.write(v.header(uint16(protocol.CodePutPack), 48+len(pack)))
		run, id := runID(1), idOf(pack)
		v.write(slices.Concat(run[:], id[:], pack[:300_000]))
		v.nc.Close()
		eventually(t, "the put ends", func() bool { return c.srv.Puts() == 0 })
		if n := c.packBlobs(); n != 0 {
			t.Errorf("%d packs are stored", n)
		}
		if missing := w.lacks(1, pack); len(missing) != 1 {
			t.Error("half a pack is there")
		}
		w.put(1, pack)
		w.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{pack}})
		w.whole(w.snapshots(false)[0])
	})
}

func TestRunsRefused(t *testing.T) {
	onBoth(t, func(cfg *server.Config) { cfg.MaxRuns = 2 }, func(t *testing.T, c *core) {
		w := c.proven("client")
		w.fails(&protocol.BeginRun{Run: runID(1), Name: "photos"}, nil, protocol.StatusInvalid)
		w.fails(&protocol.BeginRun{Name: home}, nil, protocol.StatusInvalid)
		w.fails(&protocol.BeginRun{Run: runID(1), Base: 7, Name: home}, nil, protocol.StatusNotFound)
		w.beginRun(1, home, 0)
		w.beginRun(1, home, 0)
		w.fails(&protocol.BeginRun{Run: runID(1), Name: taxes}, nil, protocol.StatusConflict)
		w.beginRun(2, taxes, 0)
		w.fails(&protocol.BeginRun{Run: runID(3), Name: home}, nil, protocol.StatusTooMany)
		w.put(2, content(1, 10))
		var list protocol.RunList
		w.ask(&protocol.ListRuns{}, nil, &list)
		if len(list.Runs) != 2 || list.Runs[0].Name != home || list.Runs[1].Run != runID(2) || list.Runs[1].Packs != 1 || list.Runs[1].Bytes != 10 {
			t.Errorf("runs: %+v", list.Runs)
		}
		w.done(&protocol.EndRun{Run: runID(1)})
		w.beginRun(3, home, 0)
	})
}

func TestCommitRefused(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w := c.proven("client")
		a, lacking := content(1, 10), content(2, 10)
		w.beginRun(9, home, 0)
		w.put(9, a)
		w.commit(commit{run: 9, name: home, manifest: "m", added: [][]byte{a}})
		w.beginRun(1, home, 1)
		good := commit{run: 1, name: home, before: 1, base: 1, head: "h", manifest: "m"}
		for name, tt := range map[string]struct {
			change func(*commit)
			status protocol.Status
		}{
			"another name":         {func(c *commit) { c.name = taxes }, protocol.StatusInvalid},
			"no name":              {func(c *commit) { c.name = "" }, protocol.StatusInvalid},
			"a name too long":      {func(c *commit) { c.name = strings.Repeat("n", 300) }, protocol.StatusInvalid},
			"another base":         {func(c *commit) { c.base = 2 }, protocol.StatusInvalid},
			"no manifest":          {func(c *commit) { c.manifest = "" }, protocol.StatusInvalid},
			"a head too large":     {func(c *commit) { c.head = strings.Repeat("h", 4097) }, protocol.StatusTooLarge},
			"another version":      {func(c *commit) { c.before = 0 }, protocol.StatusConflict},
			"a version to come":    {func(c *commit) { c.before = 2 }, protocol.StatusConflict},
			"a run there is not":   {func(c *commit) { c.run = 5 }, protocol.StatusNotFound},
			"a run that was ended": {func(c *commit) { c.run = 4 }, protocol.StatusNotFound},
		} {
			bad := good
			tt.change(&bad)
			m, body := bad.message()
			if message := w.fails(m, body, tt.status); message == "" {
				t.Errorf("%s: no reason", name)
			}
		}
		m, body := good.message()
		m.Added = 1 // and one id too few
		w.fails(m, body, protocol.StatusInvalid)

		bad := good
		bad.added = [][]byte{lacking, a}
		m, body = bad.message()
		var missing protocol.PacksMissing
		w.ask(m, body, &missing)
		if !slices.Equal(missing.IDs, idsOf([][]byte{lacking})) {
			t.Errorf("missing: %x", missing.IDs)
		}
		if n := c.manifests(); n != 1 {
			t.Errorf("%d manifests are stored", n)
		}
		if v := w.commit(good); v != 2 || c.manifests() != 2 {
			t.Errorf("version %d", v)
		}
	})
}

// Of two runs that commit at once one comes first, and the other is answered so,
// and goes on.
func TestCommitAtOnce(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w := c.proven("client")
		pack := content(1, 10)
		var answers [2]protocol.Code
		var together sync.WaitGroup
		for i := range answers {
			v, run := w.beside(c.public), byte(i+1)
			v.beginRun(run, home, 0)
			v.put(run, pack)
			together.Go(func() {
				m, body := commit{run: run, name: home, manifest: fmt.Sprint(i), added: [][]byte{pack}}.message()
				v.request(m, body)
				code, _, err := v.receive()
				if err != nil {
					t.Error(err)
				}
				answers[i] = protocol.Code(code)
			})
		}
		together.Wait()
		lost := slices.Index(answers[:], protocol.CodeFailure)
		if lost < 0 || answers[1-lost] != protocol.CodeSnapshotCommitted {
			t.Fatalf("answers: %v", answers)
		}
		if v := w.commit(commit{run: byte(lost + 1), name: home, before: 1, manifest: "again", added: [][]byte{pack}}); v != 2 {
			t.Errorf("version %d", v)
		}
		if n := c.manifests(); n != 2 {
			t.Errorf("%d manifests are stored", n)
		}
	})
}

// No upload, of whatever kind, writes to the name of a snapshot.
func TestSnapshotNamesAreReserved(t *testing.T) {
	c := startCore(t, noSweeps)
	w := c.proven("client")
	w.beginRun(1, home, 0)
	w.put(1, content(1, 10))
	w.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{content(1, 10)}})
	for _, name := range []string{home, taxes} {
		w.write(w.packetFrame(name, 16, 3, 1, 1, encrypt(w.key, []byte("abc"))))
		w.expectEmpty(1607)
		w.fails(&protocol.BeginUpload{OriginalSize: 3, Name: name}, nil, protocol.StatusForbidden)
		w.fails(&protocol.NamedPacket{OriginalSize: 3, Number: 1, Total: 1, Name: protocol.Field(field(name))}, encrypt(w.key, []byte("abc")), protocol.StatusForbidden)
	}
	w.fails(&protocol.BeginUpload{OriginalSize: 3, Format: protocol.FormatSnapshot, Name: "f"}, nil, protocol.StatusInvalid)
	if list := w.snapshots(true); len(list) != 1 || list[0].Version != 1 {
		t.Errorf("listed: %+v", list)
	}
	w.store(home[:33], []byte("abc"), 16) // a digit short
	if len(w.snapshots(true)) != 1 || w.has(home[:33]) != 1 {
		t.Error("a file is listed as a snapshot")
	}
}

// A page is what fits, and the next one goes on behind it.
func TestListSnapshotsInPages(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w := c.proven("client")
		pack := content(1, 10)
		for i := range byte(5) {
			name := fmt.Sprintf("s/%032x", i/2)
			w.beginRun(i+1, name, 0)
			w.put(i+1, pack)
			w.commit(commit{run: i + 1, name: name, before: uint32(i % 2), manifest: "m", added: [][]byte{pack}})
		}
		var got []string
		m := &protocol.ListSnapshots{Limit: 2, AllVersions: true}
		for {
			var page protocol.SnapshotList
			w.ask(m, nil, &page)
			for _, s := range page.Snapshots {
				got = append(got, fmt.Sprintf("%s@%d", s.Name[33:], s.Version))
				m.AfterName, m.AfterVersion = s.Name, s.Version
			}
			if !page.More {
				break
			}
		}
		if want := []string{"0@2", "0@1", "1@2", "1@1", "2@1"}; !slices.Equal(got, want) {
			t.Errorf("listed %v", got)
		}
		w.fails(&protocol.ListSnapshots{}, nil, protocol.StatusInvalid)
		w.fails(&protocol.ListSnapshots{Limit: 1001}, nil, protocol.StatusInvalid)
		w.fails(&protocol.SnapshotPacks{Name: home}, nil, protocol.StatusInvalid)
		w.fails(&protocol.SnapshotPacks{Name: home, Limit: 1}, nil, protocol.StatusNotFound)
	})
}

// The page of a thousand snapshots with full heads would not fit an answer.
func TestListSnapshotsStopsWhereItIsFull(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { noSweeps(cfg); cfg.KeepVersions = 0 })
	w := c.proven("client")
	pack, head := content(1, 10), strings.Repeat("h", protocol.MaxHead)
	const n = 600
	for i := range uint32(n) {
		run := protocol.RunID{1: byte(i), 2: byte(i >> 8), 3: 1}
		w.ask(&protocol.BeginRun{Run: run, Name: home}, nil, new(protocol.RunBegun))
		w.ask(&protocol.PutPack{Run: run, ID: idOf(pack)}, pack, new(protocol.Done))
		m, body := commit{name: home, before: i, head: head, manifest: "m", added: [][]byte{pack}}.message()
		m.Run = run
		w.ask(m, body, new(protocol.SnapshotCommitted))
	}
	var page protocol.SnapshotList
	w.ask(&protocol.ListSnapshots{Limit: 1000, AllVersions: true}, nil, &page)
	if !page.More || len(page.Snapshots) < 400 {
		t.Errorf("%d snapshots, more %t", len(page.Snapshots), page.More)
	}
	last := page.Snapshots[len(page.Snapshots)-1]
	seen := len(page.Snapshots)
	w.ask(&protocol.ListSnapshots{Limit: 1000, AllVersions: true, AfterName: last.Name, AfterVersion: last.Version}, nil, &page)
	if page.More || seen+len(page.Snapshots) != n {
		t.Errorf("%d and %d snapshots", seen, len(page.Snapshots))
	}
}
