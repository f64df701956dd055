package server_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"coffer/server"
	"coffer/server/admin"
)

// A backup is a catalog that a server can run with.
func TestBackup(t *testing.T) {
	backups := t.TempDir()
	c := startOnDisk(t, func(cfg *server.Config) { cfg.BackupDir = filepath.Join(backups, "new") })
	if list, err := c.srv.Admin().Backups(); err != nil || len(list) != 0 {
		t.Errorf("before: %v, error %v", list, err)
	}
	w := c.proven("ada")
	w.store("f", content(1, 100_000), 500_000)
	info, err := c.srv.Admin().Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.store("later", content(2, 100), 500)
	killed := filepath.Join(backups, "new", "catalog-20060102T150405.000Z.db.partial")
	if err := os.WriteFile(killed, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := c.srv.Admin().Backups()
	if err != nil || len(list) != 1 || list[0] != info || info.Size == 0 {
		t.Errorf("backups: %+v, error %v, want %+v", list, err, info)
	}
	if mode := fileMode(t, filepath.Join(backups, "new", info.Name)); mode != 0o600 {
		t.Errorf("mode %v", mode)
	}
	for _, name := range []string{"", "../lock", "catalog-x.db", info.Name + "/.", "catalog-20060102T150405.000Z.db"} {
		if f, err := c.srv.Admin().OpenBackup(name); !errors.Is(err, fs.ErrNotExist) {
			f.Close()
			t.Errorf("opening %q: %v", name, err)
		}
		if err := c.srv.Admin().RemoveBackup(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	f, err := c.srv.Admin().OpenBackup(info.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var copied bytes.Buffer
	if _, err := copied.ReadFrom(f); err != nil || int64(copied.Len()) != info.Size {
		t.Fatalf("%d bytes, error %v", copied.Len(), err)
	}
	if err := c.srv.Admin().RemoveBackup(info.Name); err != nil {
		t.Error(err)
	}
	if _, err := c.srv.Admin().Backup(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left half done: %v", err)
	}
	c.stop()
	c.loseCatalog()
	if err := os.WriteFile(c.database(), copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start()
	w = w.another(c.public)
	w.reconnect()
	w.prove()
	w.expectStored("f", content(1, 100_000))
	if w.has("later") != 0 {
		t.Error("what came later is in the backup")
	}

	none := startCore(t, nil)
	if _, err := none.srv.Admin().Backup(t.Context()); !errors.Is(err, admin.ErrNoBackups) {
		t.Errorf("without a folder: %v", err)
	}
}

func fileMode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
