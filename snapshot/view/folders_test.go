package view

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// More folders than are kept open are used by several goroutines at once, and
// each file gets into its own.
func TestFoldersInTurn(t *testing.T) {
	at := t.TempDir()
	for i := range 2 * maxFolders {
		if err := os.MkdirAll(filepath.Join(at, "outer", fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(at)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dirs := newFolders(root)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 4 * maxFolders {
				path := fmt.Sprintf("outer/%d/file %d of %d", i%(2*maxFolders), i, worker)
				dir, base, done, err := dirs.outer(path)
				if err != nil {
					t.Error(err)
					return
				}
				if err := dir.WriteFile(base, nil, 0o600); err != nil {
					t.Error(err)
				}
				done()
				if _, err := os.Stat(filepath.Join(at, path)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if len(dirs.open) > maxFolders || dirs.recent.Len() != len(dirs.open) {
		t.Errorf("%d folders are open, %d of them in order", len(dirs.open), dirs.recent.Len())
	}
	dirs.close()
	if len(dirs.open) != 0 {
		t.Errorf("%d folders are open", len(dirs.open))
	}
}

// A folder that was removed, and one that was made in its place, are two.
func TestForgottenFolder(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dirs := newFolders(root)
	defer dirs.close()
	write := func() error {
		dir, base, done, err := dirs.outer("a/b/file")
		if err != nil {
			return err
		}
		defer done()
		return dir.WriteFile(base, nil, 0o600)
	}
	for range 2 {
		if err := root.MkdirAll("a/b", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if _, err := root.Stat("a/b/file"); err != nil {
			t.Error(err)
		}
		dirs.forget("a")
		if dirs.has("a/b") {
			t.Error("a folder below it is open")
		}
		if err := root.RemoveAll("a"); err != nil {
			t.Fatal(err)
		}
		if err := write(); err == nil {
			t.Error("a file was written to a folder that is gone")
		}
	}
}
