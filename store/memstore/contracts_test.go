package memstore_test

import (
	"coffer/store"
	"coffer/store/memstore"
)

var (
	_ store.Runs      = (*memstore.Catalog)(nil)
	_ store.PackIndex = (*memstore.Catalog)(nil)
	_ store.Snapshots = (*memstore.Catalog)(nil)
	_ store.Sweeps    = (*memstore.Catalog)(nil)
	_ store.Packs     = (*memstore.Blobs)(nil)
)
