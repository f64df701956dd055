package server_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

// What was put and never committed is pinned by its run, and goes once that is
// over and the grace has passed.
func TestSweep(t *testing.T) {
	onBoth(t, func(cfg *server.Config) {
		noSweeps(cfg)
		cfg.SweepGrace, cfg.RunTimeout = 2*time.Hour, 3*time.Hour
	}, func(t *testing.T, c *core) {
		w := c.proven("ada")
		kept, lost := content(1, 100), content(2, 200)
		w.beginRun(1, home, 0)
		w.put(1, kept)
		w.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{kept}})
		w.beginRun(2, taxes, 0)
		w.put(2, lost)
		for hour := 1; ; hour++ {
			c.sweep() // an hour later
			missing := len(w.snapshots(false)) != 1
			w.whole(w.snapshots(false)[0])
			if missing || hour > 20 {
				t.Fatal("never swept")
			}
			if c.packBlobs() == 1 {
				if hour < 5 {
					t.Errorf("swept after %d hours", hour)
				}
				break
			}
		}
		w.fails(&protocol.AskPacks{Run: runID(2), IDs: idsOf([][]byte{lost})}, nil, protocol.StatusNotFound)
		w.beginRun(3, taxes, 0)
		if len(w.lacks(3, kept, lost)) != 1 {
			t.Error("a pack that is gone is not missing")
		}
		happened := c.happened()
		for _, want := range []string{"upload_dropped warning ada " + taxes + "/0", "removal ok ada", "upload ok ada " + home + "/1"} {
			if !slices.Contains(happened, want) {
				t.Errorf("%q is not among %q", want, happened)
			}
		}
	})
}

// A pack that is marked comes back as another: by a put, not by being asked for.
func TestSweptPackComesBack(t *testing.T) {
	onBoth(t, func(cfg *server.Config) { noSweeps(cfg); cfg.SweepGrace = 24 * time.Hour }, func(t *testing.T, c *core) {
		w := c.proven("client")
		pack := content(1, 1000)
		w.beginRun(1, home, 0)
		w.put(1, pack)
		w.done(&protocol.EndRun{Run: runID(1)})
		c.sweep() // marks it
		w.beginRun(2, home, 0)
		if len(w.lacks(2, pack)) != 1 {
			t.Fatal("a dead pack is not missing")
		}
		m, body := commit{run: 2, name: home, manifest: "m", added: [][]byte{pack}}.message()
		w.ask(m, body, new(protocol.PacksMissing))
		w.put(2, pack)
		w.commit(commit{run: 2, name: home, manifest: "m", added: [][]byte{pack}})
		for range 30 {
			c.sweep()
		}
		w.whole(w.snapshots(false)[0])
		if n := c.packBlobs(); n != 1 {
			t.Errorf("%d packs are stored", n)
		}
	})
}

// The server sweeps by itself, soon after something was removed as well.
func TestSweepsByItself(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.SweepEvery, cfg.SweepGrace = 10*time.Millisecond, 0 })
	w := c.proven("client")
	w.beginRun(1, home, 0)
	w.put(1, content(1, 1000))
	w.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{content(1, 1000)}})
	w.done(&protocol.DeleteFile{Name: home})
	eventually(t, "the pack is swept", func() bool { return c.packBlobs() == 0 })
}

// An account that is removed takes its packs along.
func TestRemovedAccountTakesItsPacks(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		w, other := c.proven("client"), c.proven("other")
		pack := content(1, 1000)
		for _, one := range []*wire{w, other} {
			one.beginRun(1, home, 0)
			one.put(1, pack)
			one.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{pack}})
		}
		w.beginRun(2, home, 1)
		w.put(2, content(2, 10))
		w.done(&protocol.RemoveAccount{})
		c.sweep()
		if n := c.packBlobs(); n != 1 {
			t.Errorf("%d packs are stored", n)
		}
		other.whole(other.snapshots(false)[0])
	})
}

// errKilled ends everything.
var errKilled = errors.New("the process has ended")

// A killer ends the process at a step: before it, or right after it was done.
// From then on nothing is done.
type killer struct {
	at    int
	after bool
	n     int
	dead  atomic.Bool
}

// step does a step, unless the process has ended.
func (k *killer) step(do func() error) error {
	if k.dead.Load() {
		return errKilled
	}
	if k.n++; k.n != k.at {
		return do()
	}
	k.dead.Store(true)
	if k.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errKilled
}

type mortalCatalog struct {
	store.Catalog
	k *killer
}

func (c mortalCatalog) BeginRun(ctx context.Context, r store.Run) (newest uint32, err error) {
	err = c.k.step(func() (err error) { newest, err = c.Catalog.BeginRun(ctx, r); return err })
	return newest, err
}

func (c mortalCatalog) AskPacks(ctx context.Context, client store.ClientID, run store.RunID, ids []store.PackID) (found []store.FoundPack, err error) {
	err = c.k.step(func() (err error) { found, err = c.Catalog.AskPacks(ctx, client, run, ids); return err })
	return found, err
}

func (c mortalCatalog) PlacePack(ctx context.Context, client store.ClientID, run store.RunID, id store.PackID) (ordinal uint32, there bool, err error) {
	err = c.k.step(func() (err error) { ordinal, there, err = c.Catalog.PlacePack(ctx, client, run, id); return err })
	return ordinal, there, err
}

func (c mortalCatalog) AddPack(ctx context.Context, run store.RunID, p store.Pack) (unused store.BlobRef, err error) {
	err = c.k.step(func() (err error) { unused, err = c.Catalog.AddPack(ctx, run, p); return err })
	return unused, err
}

func (c mortalCatalog) CommitSnapshot(ctx context.Context, s store.SnapshotCommit, keep store.Retention) (number uint32, dropped []store.BlobRef, err error) {
	err = c.k.step(func() (err error) { number, dropped, err = c.Catalog.CommitSnapshot(ctx, s, keep); return err })
	return number, dropped, err
}

func (c mortalCatalog) Remove(ctx context.Context, client store.ClientID, name string, number uint32) (dropped []store.BlobRef, err error) {
	err = c.k.step(func() (err error) { dropped, err = c.Catalog.Remove(ctx, client, name, number); return err })
	return dropped, err
}

func (c mortalCatalog) SweepPacks(ctx context.Context, client store.ClientID, rules store.SweepRules) (swept store.Swept, err error) {
	rules.Limit = 1 // so that there are steps
	err = c.k.step(func() (err error) { swept, err = c.Catalog.SweepPacks(ctx, client, rules); return err })
	return swept, err
}

func (c mortalCatalog) ForgetPacks(ctx context.Context, client store.ClientID, ordinals []uint32) error {
	return c.k.step(func() error { return c.Catalog.ForgetPacks(ctx, client, ordinals) })
}

type mortalBlobs struct {
	store.Blobs
	k *killer
}

func (b mortalBlobs) CreatePack(ctx context.Context, meta store.PackMetadata) (w store.PackWriter, err error) {
	err = b.k.step(func() (err error) { w, err = b.Blobs.CreatePack(ctx, meta); return err })
	return mortalPack{w, b.k}, err
}

func (b mortalBlobs) Put(ctx context.Context, meta store.Metadata, content []byte) (ref store.BlobRef, err error) {
	err = b.k.step(func() (err error) { ref, err = b.Blobs.Put(ctx, meta, content); return err })
	return ref, err
}

func (b mortalBlobs) Confirm(ctx context.Context, ref store.BlobRef, mark store.Confirmation) error {
	return b.k.step(func() error { return b.Blobs.Confirm(ctx, ref, mark) })
}

func (b mortalBlobs) Remove(ctx context.Context, ref store.BlobRef) error {
	return b.k.step(func() error { return b.Blobs.Remove(ctx, ref) })
}

type mortalPack struct {
	store.PackWriter
	k *killer
}

func (w mortalPack) Write(p []byte) (n int, err error) {
	err = w.k.step(func() (err error) { n, err = w.PackWriter.Write(p); return err })
	return n, err
}

func (w mortalPack) Commit(ctx context.Context) (ref store.BlobRef, err error) {
	err = w.k.step(func() (err error) { ref, err = w.PackWriter.Commit(ctx); return err })
	return ref, err
}

// A life is what happens to a client's snapshots until the server ends.
func life(c *core, w *wire) {
	ctx := c.t.Context()
	a, b, d := content(1, 1000), content(2, 2000), content(3, 300)
	try := func(m protocol.Message, body []byte) {
		w.request(m, body)
		if _, _, err := w.receive(); err != nil {
			c.t.Fatal(err)
		}
	}
	putAll := func(run byte, packs ...[]byte) {
		try(&protocol.AskPacks{Run: runID(run), IDs: idsOf(packs)}, nil)
		for _, p := range packs {
			try(&protocol.PutPack{Run: runID(run), ID: idOf(p)}, p)
		}
	}
	tryCommit := func(one commit) {
		m, body := one.message()
		try(m, body)
	}
	try(&protocol.BeginRun{Run: runID(1), Name: home}, nil)
	putAll(1, a, b)
	tryCommit(commit{run: 1, name: home, manifest: "first", added: [][]byte{a, b}})
	try(&protocol.BeginRun{Run: runID(2), Base: 1, Name: home}, nil)
	putAll(2, d)
	tryCommit(commit{run: 2, name: home, before: 1, base: 1, manifest: "second", added: [][]byte{d}, dropped: [][]byte{a}})
	try(&protocol.DeleteFile{Version: 1, Name: home}, nil)
	c.srv.Sweep(ctx, time.Hour)
	c.srv.Sweep(ctx, time.Hour)
}

// Wherever the server ends, what is listed is whole when it runs again, the same
// life goes on to its end, and nothing that is needed was swept.
func TestKilledAtEachStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		steps := 0
		for at := 1; ; at++ {
			k := &killer{at: at, after: after}
			var first bool
			c := startCore(t, func(cfg *server.Config) {
				noSweeps(cfg)
				if !first { // what runs again does not end
					first = true
					cfg.Catalog, cfg.Blobs = mortalCatalog{cfg.Catalog, k}, mortalBlobs{cfg.Blobs, k}
				}
			})
			w := c.proven("client")
			life(c, w)
			ended := k.dead.Load()
			c.restart()
			w = w.beside(c.public)
			for _, s := range w.snapshots(true) {
				w.whole(s)
			}
			c.sweep()
			for _, s := range w.snapshots(true) {
				w.whole(s)
			}
			life(c, w)
			list := w.snapshots(true)
			if len(list) != 1 || list[0].Version != 2 || list[0].Packs != 2 {
				t.Fatalf("step %d: listed %+v", at, list)
			}
			w.whole(list[0])
			if manifest := w.read(home, 2, 0, 0); sha256.Sum256(manifest) != sha256.Sum256([]byte("second")) {
				t.Errorf("step %d: manifest %q", at, manifest)
			}
			// What a removal had no time to take away is lost space, which a
			// scrub finds; it is no lost snapshot.
			if n := c.manifests(); n > 2 {
				t.Errorf("step %d: %d manifests are stored", at, n)
			}
			c.stop()
			if !ended {
				break
			}
			steps = at
		}
		if steps < 20 {
			t.Errorf("only %d steps", steps)
		}
	}
}

// The name of a snapshot says nothing, and so does what the operator sees.
func TestSnapshotActivity(t *testing.T) {
	c := startCore(t, noSweeps)
	w := c.proven("ada")
	w.beginRun(1, home, 0)
	w.put(1, content(1, 1000), content(2, 2000))
	w.commit(commit{run: 1, name: home, manifest: "m", added: [][]byte{content(1, 1000), content(2, 2000)}})
	w.read(home, 1, 0, 0)
	w.done(&protocol.ReportVerified{Version: 1, Packs: 2, Bytes: 3000, Name: home})
	all, err := c.srv.Admin().Activities(t.Context(), store.ActivityFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var committed, verified bool
	for _, a := range all {
		switch {
		case a.Kind == store.ActivityUpload && a.File == home:
			committed = a.Version == 1 && a.Bytes == 3000 && strings.Contains(a.Detail, "2 packs")
		case a.Kind == store.ActivityScrub && a.File == home:
			verified = a.Outcome == store.OutcomeOK && a.Version == 1 && a.Bytes == 3000
		case a.Kind == store.ActivityRestore:
			t.Errorf("reading a manifest is noted as a restore: %+v", a)
		}
	}
	if !committed || !verified {
		t.Errorf("activities: %+v", all)
	}
}

// A catalog that is not the one which these packs were used with last sweeps
// nothing, until a start has reconciled the two.
func TestNoSweepWithAnotherCatalog(t *testing.T) {
	onBoth(t, func(cfg *server.Config) {
		noSweeps(cfg)
		cfg.SweepGrace, cfg.RunTimeout = 0, time.Minute
	}, func(t *testing.T, c *core) {
		w := c.proven("ada")
		w.beginRun(1, home, 0)
		w.put(1, content(1, 100))
		if err := c.blobs.SetGeneration(t.Context(), "that of another catalog"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := c.srv.Sweep(t.Context(), time.Hour); !errors.Is(err, maintain.ErrUnreconciled) {
				t.Errorf("a sweep: %v", err)
			}
		}
		if n := c.packBlobs(); n != 1 {
			t.Errorf("%d packs are left", n)
		}
		c.restart()
		for range 3 {
			c.sweep()
		}
		if n := c.packBlobs(); n != 0 {
			t.Errorf("%d packs are left once it is reconciled", n)
		}
	})
}
