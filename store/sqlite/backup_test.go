package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"coffer/store"
)

// A backup taken while others commit is whole, and has everything that was
// committed before it began.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	c := open(t, filepath.Join(dir, "defensive.db"))
	defer c.Close()
	id := addClient(t, c, 1)
	commit := func(name string) {
		if _, _, err := c.Commit(t.Context(), version(id, name, 4096), store.Retention{}); err != nil {
			t.Error(err)
		}
	}
	for i := range 300 {
		commit(fmt.Sprint("before ", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			commit(fmt.Sprint("during ", i))
		}
	})
	copied := filepath.Join(dir, "copy.db")
	var done, total int64
	err := c.Backup(t.Context(), copied, func(d, all int64) {
		if d < done || d > all {
			t.Errorf("progress: %d of %d after %d", d, all, done)
		}
		done, total = d, all
	})
	stop()
	wg.Wait()
	if err != nil || done != total || total == 0 {
		t.Fatalf("%d of %d, error %v", done, total, err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	b := open(t, copied)
	defer b.Close()
	if err := b.Integrity(t.Context()); err != nil {
		t.Error(err)
	}
	for i := range 300 {
		if _, err := b.Version(t.Context(), id, fmt.Sprint("before ", i), 1); err != nil {
			t.Fatalf("before %d: %v", i, err)
		}
	}
	usage, err := b.Usage(t.Context(), id)
	if err != nil || usage.Versions < 300 {
		t.Errorf("usage %+v, error %v", usage, err)
	}
}

// A backup that fails leaves no file, and spares one that is there.
func TestBackupFails(t *testing.T) {
	dir := t.TempDir()
	c := open(t, filepath.Join(dir, "defensive.db"))
	defer c.Close()
	id := addClient(t, c, 1)
	for i := range 500 { // several steps
		if _, _, err := c.Commit(t.Context(), version(id, fmt.Sprintf("%01000d", i), 4096), store.Retention{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := filepath.Join(dir, "stopped.db")
	if err := c.Backup(ctx, stopped, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := os.Stat(stopped); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was stopped left a file: %v", err)
	}
	there := filepath.Join(dir, "there.db")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Backup(t.Context(), there, func(int64, int64) {}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "precious" {
		t.Errorf("the file there is %q, error %v", text, err)
	}
	if err := c.Backup(t.Context(), filepath.Join(dir, "none", "x.db"), func(int64, int64) {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing folder: %v", err)
	}
}
