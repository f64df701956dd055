package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/store"
	"coffer/store/sqlite"
)

// makeDatabase runs statements on a file that the package has not made.
func makeDatabase(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		is   error
		says string
	}{
		{"an earlier server's database", func(t *testing.T, path string) {
			makeDatabase(t, path,
				`CREATE TABLE clients (ID BLOB(16), Name VARCHAR(255), PublicKey BLOB(160), LastSeen TEXT, AESKey BLOB(16))`,
				`CREATE TABLE files (ID BLOB(16), FileName VARCHAR(255), PathName VARCHAR(255), Verified BOOLEAN)`,
				`INSERT INTO clients VALUES (zeroblob(16), 'ada', NULL, 'today', NULL)`)
		}, nil, "import"},
		{"a newer program's database", func(t *testing.T, path string) {
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			makeDatabase(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, 1)`)
		}, nil, "newer"},
		{"another file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("not a database. "), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, store.ErrDamaged, ""},
		{"a database with a damaged head", func(t *testing.T, path string) {
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, 100, 4000)
		}, store.ErrDamaged, ""},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "defensive.db")
			test.make(t, path)
			before, _ := os.ReadFile(path)
			c, err := sqlite.Open(t.Context(), path)
			if err == nil {
				c.Close()
				t.Fatal("it was opened")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error is %v, want %v", err, test.is)
			}
			for _, part := range []string{path, test.says} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) && test.says == "import" {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "none", "x.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a missing folder: got error %v", err)
	}
}

func overwrite(t *testing.T, path string, off int64, size int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xA5}, size), off); err != nil {
		t.Fatal(err)
	}
}

// addClient adds the n-th client.
func addClient(t testing.TB, c *sqlite.Catalog, n int) store.ClientID {
	t.Helper()
	id := store.ClientID{byte(n), byte(n >> 8), 1}
	if err := c.AddClient(t.Context(), store.Client{ID: id, Name: fmt.Sprint("client ", n)}); err != nil {
		t.Fatal(err)
	}
	return id
}

func version(id store.ClientID, name string, size int64) store.Version {
	return store.Version{
		Metadata: store.Metadata{Client: id, Name: name, WireName: []byte(name), WrappedKey: make([]byte, 384), Size: size},
		Blob:     store.BlobRef(fmt.Sprintf("%x/%s/%d", id[:2], name, size)),
	}
}

func TestReopen(t *testing.T) {
	for _, name := range []string{"defensive.db", "a b?c#d%41 ש.db"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		c := open(t, path)
		id := addClient(t, c, 1)
		for i := range 50 {
			if _, _, err := c.Commit(t.Context(), version(id, fmt.Sprint(i), 7), store.Retention{Versions: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		// The log keeps its room and nothing else: the file alone is whole.
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil {
				t.Error(err)
			}
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %v, error %v", info.Mode(), err)
		}
		c = open(t, path)
		usage, err := c.Usage(t.Context(), id)
		if want := (store.Usage{Files: 50, Versions: 50, Bytes: 350}); usage != want || err != nil {
			t.Errorf("usage after reopen: got %+v, error %v", usage, err)
		}
		if err := c.Integrity(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A catalog that is put in place of another does not meet the other's log.
func TestLogIsEmptied(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.db"), filepath.Join(dir, "second.db")
	for path, n := range map[string]int{first: 1, second: 2} {
		c := open(t, path)
		addClient(t, c, n)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(first + "-wal")
	if err != nil || len(log) != 4<<20 || !bytes.Equal(log[:32], make([]byte, 32)) {
		t.Fatalf("a log of %d bytes, error %v", len(log), err)
	}
	if err := os.Rename(second, first); err != nil {
		t.Fatal(err)
	}
	c := open(t, first)
	defer c.Close()
	if err := c.Integrity(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.ClientByName(t.Context(), "client 2"); err != nil {
		t.Error(err)
	}
	if _, err := c.ClientByName(t.Context(), "client 1"); !errors.Is(err, store.ErrNoClient) {
		t.Errorf("the other catalog's client: %v", err)
	}
}

func TestIntegrity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "defensive.db")
	c := open(t, path)
	id := addClient(t, c, 1)
	for i := range 200 {
		if _, _, err := c.Commit(t.Context(), version(id, fmt.Sprint(i), 7), store.Retention{Versions: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, info.Size()-8192, 8192)
	c = open(t, path)
	defer c.Close()
	if err := c.Integrity(context.Background()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("integrity of a damaged file: got error %v", err)
	}
}
