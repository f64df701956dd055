package server_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"coffer/internal/socket"
	"coffer/protocol/crypt"
	"coffer/server"
	"coffer/store"
	"coffer/store/files"
	"coffer/store/memstore"
	"coffer/store/sqlite"
)

// coreSecret is what the internal listener asks for.
var coreSecret = crypt.CoreSecret{3, 2, 1}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A core is a running server. It can be stopped and started again on the same
// data, which is in memory, or in a temporary folder if the test is about what
// lies there.
type core struct {
	t      testing.TB
	dir    string // of data on the disk; empty: it is in memory
	memory struct{ catalog, blobs *memstore.Data }
	adjust func(*server.Config)
	master server.MasterKey

	srv              *server.Server
	catalog          store.Catalog
	blobs            store.Blobs
	public, internal string // addresses
	writes           *atomic.Int64
	cancel           context.CancelFunc
	done             chan error
}

// startCore starts a server, with short timeouts, whose settings adjust may
// change.
func startCore(t testing.TB, adjust func(*server.Config)) *core {
	t.Helper()
	c := &core{t: t, adjust: adjust, master: server.NewMasterKey()}
	c.memory.catalog, c.memory.blobs = memstore.New(), memstore.New()
	return c.started()
}

// startOnDisk starts a server whose data is on the disk.
func startOnDisk(t testing.TB, adjust func(*server.Config)) *core {
	t.Helper()
	c := &core{t: t, dir: t.TempDir(), adjust: adjust, master: server.NewMasterKey()}
	return c.started()
}

// started starts a new server, which the test's end stops.
func (c *core) started() *core {
	t := c.t
	t.Helper()
	c.start()
	t.Cleanup(func() {
		if c.cancel != nil {
			c.stop()
		}
	})
	return c
}

func (c *core) open() {
	c.t.Helper()
	if c.dir == "" {
		c.catalog, c.blobs = c.memory.catalog.Catalog(), c.memory.blobs.Blobs()
		return
	}
	var err error
	if c.catalog, err = sqlite.Open(c.t.Context(), c.database()); err != nil {
		c.t.Fatal(err)
	}
	if c.blobs, err = files.Open(filepath.Join(c.dir, "received_files")); err != nil {
		c.t.Fatal(err)
	}
}

// folder is where the data lies. A test that looks into it starts on the disk.
func (c *core) folder() string {
	c.t.Helper()
	if c.dir == "" {
		c.t.Fatal("the data is in memory")
	}
	return c.dir
}

func (c *core) database() string { return filepath.Join(c.folder(), "defensive.db") }

func (c *core) config() server.Config {
	cfg := server.DefaultConfig()
	cfg.Catalog, cfg.Blobs, cfg.MasterKey = c.catalog, c.blobs, c.master
	cfg.Log = slog.New(slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.LegacyCharset = charmap.Windows1252
	cfg.RetryAckAfter = 50 * time.Millisecond
	cfg.DrainTimeout = 5 * time.Second
	cfg.CoreSecret = coreSecret
	if c.adjust != nil {
		c.adjust(&cfg)
	}
	return cfg
}

func (c *core) start() {
	c.t.Helper()
	c.open()
	var err error
	if c.srv, err = server.New(c.t.Context(), c.config()); err != nil {
		c.t.Fatal(err)
	}
	public := listen(c.t)
	c.public, c.internal = public.Addr().String(), "unix:"+filepath.Join(c.t.TempDir(), "core.sock")
	internal, err := socket.Listen(c.t.Context(), c.internal)
	if err != nil {
		c.t.Fatal(err)
	}
	c.writes = new(atomic.Int64)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan error, 1)
	srv, done, counted := c.srv, c.done, countingListener{public, c.writes}
	go func() { done <- srv.Serve(ctx, counted, internal) }()
}

// stop shuts the server down and closes its storage.
func (c *core) stop() {
	c.t.Helper()
	c.cancel()
	c.cancel = nil
	if err := <-c.done; err != nil {
		c.t.Errorf("Serve: %v", err)
	}
	c.closeStorage()
}

func (c *core) closeStorage() {
	c.t.Helper()
	if err := c.catalog.Close(); err != nil {
		c.t.Errorf("closing the catalog: %v", err)
	}
	if err := c.blobs.Close(); err != nil {
		c.t.Errorf("closing the blobs: %v", err)
	}
}

func (c *core) restart() {
	c.t.Helper()
	c.stop()
	c.start()
}

// loseCatalog removes the database of a stopped server.
func (c *core) loseCatalog() {
	c.t.Helper()
	if c.dir == "" {
		c.memory.catalog = memstore.New()
		return
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(c.database() + suffix); err != nil && !os.IsNotExist(err) {
			c.t.Fatal(err)
		}
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// countingListener counts the writes of the connections it accepts.
type countingListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{nc.(*net.TCPConn), l.writes}, nil
}

type countingConn struct {
	*net.TCPConn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(p)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if holds() {
			return
		}
	}
	t.Fatalf("never came: %s", what)
}
