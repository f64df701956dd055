package maintain_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	"coffer/store/files"
	"coffer/store/sqlite"
	"coffer/store/storetest"
)

// The catalog in SQLite and the blobs in files keep what snapshots need,
// whatever happens in whatever order.
func TestSnapshotsInAnyOrder(t *testing.T) {
	atMost(t, 5)
	storetest.Snapshots(t, func(t *testing.T, dir string) storetest.Storage {
		catalog, err := sqlite.Open(t.Context(), filepath.Join(dir, "catalog.db"))
		if err != nil {
			t.Fatal(err)
		}
		blobs, err := files.Open(filepath.Join(dir, "blobs"))
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Storage{Catalog: catalog, Blobs: blobs}
	})
}

// atMost has rapid make so many attempts, if nobody asked for another number.
func atMost(t *testing.T, checks int) {
	t.Helper()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if asked {
		return
	}
	const name = "rapid.checks"
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, fmt.Sprint(checks)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(name, before); err != nil {
			t.Error(err)
		}
	})
}
