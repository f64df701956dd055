package memstore_test

import (
	"testing"

	"coffer/store"
	"coffer/store/memstore"
	"coffer/store/storetest"
)

func TestCatalog(t *testing.T) {
	storetest.Catalog(t, func(*testing.T) store.Catalog { return memstore.New().Catalog() })
}

func TestBlobs(t *testing.T) {
	disks := make(map[string]*memstore.Data)
	storetest.Blobs(t, func(_ *testing.T, dir string) store.Blobs {
		if disks[dir] == nil {
			disks[dir] = memstore.New()
		}
		return disks[dir].Blobs()
	})
}

// A catalog that is opened again is as it was left.
func TestCatalogReopened(t *testing.T) {
	data := memstore.New()
	before := data.Catalog()
	if err := before.AddClient(t.Context(), store.Client{ID: store.ClientID{1}, Name: "ada"}); err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := data.Catalog().ClientByName(t.Context(), "ada"); err != nil || c.ID != (store.ClientID{1}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSnapshots(t *testing.T) {
	disks := make(map[string]*memstore.Data)
	storetest.Snapshots(t, func(_ *testing.T, dir string) storetest.Storage {
		if disks[dir] == nil {
			disks[dir] = memstore.New()
		}
		return storetest.Storage{Catalog: disks[dir].Catalog(), Blobs: disks[dir].Blobs()}
	})
}
