package sqlite_test

import (
	"path/filepath"
	"testing"

	"coffer/store"
	"coffer/store/sqlite"
	"coffer/store/storetest"
)

func TestCatalog(t *testing.T) {
	storetest.Catalog(t, func(t *testing.T) store.Catalog {
		return open(t, filepath.Join(t.TempDir(), "defensive.db"))
	})
}

func open(t testing.TB, path string, opts ...sqlite.Option) *sqlite.Catalog {
	t.Helper()
	c, err := sqlite.Open(t.Context(), path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
