package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

func TestTwoClientsOneName(t *testing.T) {
	c := startCore(t, nil)
	a, b := c.proven("a"), c.proven("b")
	a.store("f", []byte("of a"), 100)
	b.store("f", []byte("of b"), 100)
	a.expectStored("f", []byte("of a"))
	b.expectStored("f", []byte("of b"))
}

func TestUploadsExpire(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) {
		cfg.UploadTTL, cfg.SessionTTL = 50*time.Millisecond, 4*time.Second
	})
	w := c.newClient("client")
	w.write(w.frames("f", content(1, 900), 500)[1])
	w.quiet()
	eventually(t, "the upload is gone", func() bool { return c.srv.Status(t.Context()).Uploads == 0 })
}

func TestRestart(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("client")
	small, large := content(60, 900), content(61, 300_000)
	w.store("small", small, 70_000)
	w.store("large", large, 70_000)
	w.write(w.frames("unconfirmed", small, 1000)[0])
	w.expectFile("unconfirmed", small)
	c.restart()
	w = w.another(c.public)
	w.send(1029, field("unconfirmed")) // its connection has gone, and it with it
	w.expectEmpty(1607)
	w = w.beside(c.public)
	if w.has("unconfirmed") != 0 {
		t.Error("what nobody confirmed is there")
	}
	w.expectStored("small", small)
	w.expectStored("large", large)
	w.quiet()
	w.send(1025, field("client"))
	w.expectEmpty(1601)
}

func TestWrongMasterKey(t *testing.T) {
	c := startCore(t, nil)
	c.stop()
	c.open()
	defer c.closeStorage()
	c.master = server.NewMasterKey()
	if _, err := server.New(t.Context(), c.config()); !errors.Is(err, server.ErrMasterKey) {
		t.Errorf("New: %v", err)
	}
}

func TestRebuild(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	w.store("small", []byte("one"), 100)
	w.store("small", []byte("two"), 100)
	w.store("large", content(70, 200_000), 50_000)
	w.leave("unconfirmed", nil)
	m := &protocol.ListFiles{Limit: 100, AllVersions: true}
	before := w.list(m)
	c.stop()
	c.loseCatalog()
	c.open()
	r, err := maintain.Rebuild(t.Context(), c.catalog, c.blobs, sealed)
	if err != nil || r.Clients != 1 || r.Versions != 3 || r.Unconfirmed != 1 {
		t.Errorf("rebuilt %+v, %v", r, err)
	}
	c.closeStorage()
	c.start()
	w = w.another(c.public)
	w.reconnect()
	w.prove()
	if after := w.list(m); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("listed %v, before %v", after, before)
	}
	w.expectStored("small", []byte("two"))
}

func TestShutdownFinishesRequests(t *testing.T) {
	c := startCore(t, nil)
	w, idle := c.newClient("client"), dial(t, c.public)
	plain := content(80, 100_000)
	f := w.frames("f", plain, 1<<20)[0]
	w.write(f[:50_000])
	eventually(t, "the upload has begun", func() bool { return c.srv.Status(t.Context()).Uploads == 1 })
	c.cancel()
	idle.closed()
	w.write(f[50_000:])
	w.expectFile("f", plain)
	w.closed()
	c.stop()
	c.start()
}

func TestSlowAndIdle(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.IdleTimeout, cfg.MinRate = 200*time.Millisecond, 1<<20 })
	idle, header := dial(t, c.public), dial(t, c.public)
	header.write(make([]byte, 22))
	idle.closed()
	header.closed()
	w := c.newClient("client")
	w.write(w.frames("f", content(1, 1000), 2000)[0][:700])
	w.closed()
}

func TestMaxConnections(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxConnections = 2 })
	a := dial(t, c.public)
	a.quiet()
	b := dial(t, c.public)
	b.quiet()
	newcomer := dial(t, c.public)
	a.closed() // the oldest that has proven nothing makes room
	newcomer.quiet()
	b.quiet()
	if open := c.srv.Status(t.Context()).Connections; open != 2 {
		t.Errorf("%d connections are open, not 2", open)
	}
}

func TestSpaceLow(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	c := startOnDisk(t, func(cfg *server.Config) {
		dir := t.TempDir()
		cfg.BackupDir = t.TempDir()
		cfg.Space = server.NewSpace(1<<30, func() (uint64, uint64, error) { return free.Load(), 1 << 40, nil }, filepath.Join(dir, "reserve"), cfg.Log)
		watching.Go(func() { cfg.Space.Watch(ctx, time.Millisecond) })
	})
	w := c.proven("client")
	w.store("f", []byte("content"), 100)
	w.store("g", []byte("content"), 100)
	free.Store(1 << 20)
	eventually(t, "space is low", func() bool { return c.srv.Status(t.Context()).Storage == "full" })
	w.write(w.frames("h", nil, 100)[0])
	w.expectEmpty(1607)
	w.fails(&protocol.BeginUpload{Name: "h"}, nil, protocol.StatusNoSpace)
	if _, err := c.srv.Admin().Backup(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("a backup of the catalog: %v", err)
	}
	w.expectStored("f", []byte("content"))
	w.done(&protocol.DeleteFile{Name: "g"})
	free.Store(1 << 40)
	eventually(t, "there is space", func() bool { return c.srv.Status(t.Context()).Storage == "operational" })
	w.store("h", nil, 100)
}

// fullBlobs has no room while full is set.
type fullBlobs struct {
	store.Blobs
	full *atomic.Bool
}

func (b fullBlobs) Put(ctx context.Context, l store.Metadata, content []byte) (store.BlobRef, error) {
	if b.full.Load() {
		return "", fmt.Errorf("put: %w", store.ErrFull)
	}
	return b.Blobs.Put(ctx, l, content)
}

func (b fullBlobs) NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error) {
	if b.full.Load() {
		return nil, fmt.Errorf("new part: %w", store.ErrFull)
	}
	return b.Blobs.NewPart(ctx, id, header)
}

func TestStorageFull(t *testing.T) {
	var full atomic.Bool
	c := startCore(t, func(cfg *server.Config) { cfg.Blobs = fullBlobs{cfg.Blobs, &full}; cfg.MaxUploads = 1 })
	w := c.proven("client")
	w.store("f", []byte("content"), 100)
	full.Store(true)
	w.write(w.frames("f", []byte("new content"), 100)[0])
	w.expectEmpty(1607)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: 3, Total: 1, Name: "g"})
	w.fails(&protocol.UploadPacket{Upload: id, Number: 1}, encrypt(up.key, []byte("abc")), protocol.StatusNoSpace)
	w.expectStored("f", []byte("content"))
	full.Store(false)
	// The failed upload does not count against the client's limit.
	id, up = w.begin(&protocol.BeginUpload{OriginalSize: 3, Total: 1, Name: "g"})
	if s := w.packet(id, 1, false, encrypt(up.key, []byte("abc"))); !s.Complete {
		t.Errorf("state: %+v", s)
	}
}

func TestManyClients(t *testing.T) {
	c := startCore(t, nil)
	var clients sync.WaitGroup
	defer clients.Wait()
	for n := range 16 {
		w := c.proven(fmt.Sprint("client", n))
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for i := range 4 {
				name, plain := fmt.Sprint("f", i), content(uint64(n*10+i), random.IntN(200_000))
				frames := w.frames(name, plain, 1+len(plain)/7+random.IntN(5000))
				random.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
				w.write(bytes.Join(frames, nil))
				if code, _, err := w.receive(); err != nil || code != 1603 {
					t.Errorf("answer is %d, %v", code, err)
					return
				}
				w.write(append(w.header(1029, 255), field(name)...))
				if code, _, err := w.receive(); err != nil || code != 1604 {
					t.Errorf("answer is %d, %v", code, err)
					return
				}
			}
		})
		defer func() {
			clients.Wait()
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for i := range 4 {
				plain := content(uint64(n*10+i), random.IntN(200_000))
				packets := len(cut(encrypt(w.key, plain), 1+len(plain)/7+random.IntN(5000)))
				random.Shuffle(packets, func(int, int) {})
				w.expectStored(fmt.Sprint("f", i), plain)
			}
		}()
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
