package files

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coffer/store"
)

// On a full disk a pack is refused and leaves nothing; what is there is read,
// marked and removed, and then there is room again.
func TestPackOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Log("no small disk can be mounted:", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := openTest(t, dir)
	const size = 1 << 20
	first, err := putSealed(t, s, 1, size)
	noErr(t, err)
	noErr(t, s.SetGeneration(t.Context(), "one"))
	n := byte(2)
	for ; err == nil; n++ {
		_, err = putSealed(t, s, n, size)
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("pack %d: %v", n, err)
	}
	left, err := names(s.root, incomingDir)
	noErr(t, err)
	same(t, "half written files", len(left), 0)
	if _, err := os.Stat(filepath.Join(dir, string(first))); err != nil {
		t.Error(err)
	}
	if _, err := read(t, s, first); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	fill, err := os.Create(filepath.Join(dir, "fill"))
	noErr(t, err)
	for buf := make([]byte, 4096); err == nil; {
		_, err = fill.Write(buf)
	}
	noErr(t, fill.Close())
	noErr(t, s.SetGeneration(t.Context(), "two"))
	mark, err := s.Generation(t.Context())
	noErr(t, err)
	same(t, "mark", mark, "two")
	noErr(t, os.Remove(fill.Name()))

	noErr(t, s.Remove(t.Context(), first))
	if _, err := putSealed(t, s, 100, size); err != nil {
		t.Errorf("with room again: %v", err)
	}
	noErr(t, s.Close())
}
