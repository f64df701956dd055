package files_test

import (
	"testing"

	"coffer/store"
	"coffer/store/files"
	"coffer/store/storetest"
)

func TestBlobs(t *testing.T) {
	storetest.Blobs(t, func(t *testing.T, dir string) store.Blobs { return open(t, dir) })
}

// Small packs, so that they fill up, and are removed, all the time.
func TestBlobsInSmallPacks(t *testing.T) {
	storetest.Blobs(t, func(t *testing.T, dir string) store.Blobs { return open(t, dir, files.PackSize(100_000)) })
}

func open(t testing.TB, dir string, opts ...files.Option) *files.Store {
	t.Helper()
	s, err := files.Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
