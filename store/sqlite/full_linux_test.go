package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coffer/store"
)

// takeAll leaves no byte of the disk that dir is on.
func takeAll(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// With no byte free the catalog opens, reads, changes, closes, and removes a
// file, and a client with more files than fit into the log.
func TestNothingFree(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Log("no small disk can be mounted:", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "defensive.db")
	reopen := func() *Catalog {
		t.Helper()
		c, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := reopen()
	one, many := addTestClient(t, c, 1), addTestClient(t, c, 2)
	const files = 10_000
	for from := 0; from < files; from += 500 {
		fill(t, c, many, func(add func(name string, number int)) {
			for i := from; i < from+500; i++ {
				add(fmt.Sprint("a folder/a file ", i), 1)
			}
		})
		if _, err := c.writer.checkpoint("RESTART"); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, c, one, func(add func(name string, number int)) { add("kept", 1); add("removed", 1) })
	c.writer.brace()
	log, err := os.Stat(logName(path))
	if err != nil || log.Size() > logSize {
		t.Fatalf("a log of %d bytes, error %v", log.Size(), err)
	}
	for range 2 {
		takeAll(t, dir)
		if err := c.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		takeAll(t, dir)
		c = reopen()
	}
	if _, err := c.Remove(t.Context(), one, "removed", 0); err != nil {
		t.Error(err)
	}
	removed, err := c.RemoveClient(t.Context(), many)
	if err != nil || len(removed) != files {
		t.Errorf("%d blobs of the client's, error %v", len(removed), err)
	}
	if _, err := c.Client(t.Context(), many); !errors.Is(err, store.ErrNoClient) {
		t.Errorf("the client that was removed: %v", err)
	}
	if log, err = os.Stat(logName(path)); err != nil || log.Size() > logSize {
		t.Errorf("a log of %d bytes, error %v", log.Size(), err)
	}
	takeAll(t, dir)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = reopen()
	defer c.Close()
	if _, err := c.Version(t.Context(), one, "kept", 0); err != nil {
		t.Error(err)
	}
	if err := c.Integrity(t.Context()); err != nil {
		t.Error(err)
	}
}
