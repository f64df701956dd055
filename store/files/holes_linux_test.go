package files

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coffer/store"
)

// Removed blobs give their pages back at once.
func TestHoles(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	defer s.Close()
	var refs []store.BlobRef
	for i := range 40 {
		refs = append(refs, putSmall(t, s, i, store.SmallBlob))
	}
	for _, ref := range refs[1:] {
		noErr(t, s.Remove(t.Context(), ref))
	}
	info, err := os.Stat(filepath.Join(dir, packName(1)))
	noErr(t, err)
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > info.Size()/4 {
		t.Errorf("with one of 40 blobs left, %d of %d bytes are in use", used, info.Size())
	}
	got, err := read(t, s, refs[0])
	if err != nil || !bytes.Equal(got, random(0, store.SmallBlob)) {
		t.Errorf("what is left: %v", err)
	}
}
