package snaptest

import (
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/scan"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// An Account makes and reads snapshots of one folder in a repository in memory.
type Account struct {
	Repo     *Repository
	Identity *age.X25519Identity
	Keys     *snapshot.Keys // of the owner
	Root     string         // the folder, empty at first

	t     *testing.T
	cache *cache.Cache
}

// NewAccount makes an account, until the test ends.
func NewAccount(t *testing.T) *Account {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := snapshot.DeriveKeys(id.String(), snapshot.MachineID{})
	if err != nil {
		t.Fatal(err)
	}
	remembered, err := cache.Open(filepath.Join(t.TempDir(), "cache"), []byte("owner"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remembered.Close() })
	return &Account{Repo: New(), Identity: id, Keys: keys, Root: t.TempDir(), t: t, cache: remembered}
}

// Backup makes a snapshot of the folder.
func (a *Account) Backup(label string) {
	a.t.Helper()
	sources, err := scan.NewSources(a.Root)
	if err != nil {
		a.t.Fatal(err)
	}
	keys := take.Keys{Keys: a.Keys, Recipient: a.Identity.Recipient(), Epoch: snapshot.Epoch(a.Identity.Recipient().String())}
	if _, err := take.Folder(a.t.Context(), a.Repo, keys, a.cache, sources, take.Options{Label: label, Source: "here:/" + label}); err != nil {
		a.t.Fatal(err)
	}
}

// ViewKeys are the owner's keys for reading, which open no snapshot of a machine.
func (a *Account) ViewKeys() view.Keys {
	return view.Keys{Identity: a.Identity, Of: func(snapshot.MachineID) (*snapshot.Keys, error) { return a.Keys, nil }}
}
