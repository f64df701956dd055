package sqlite

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"

	"coffer/store"
)

// earlier makes a catalog of an earlier version, with rows in it.
func earlier(t *testing.T, version int64, rows func(exec func(statement string, args ...any))) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "defensive.db")
	db, err := openPool(path, writePragmas, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	numbered, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, numbered, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	rows(func(statement string, args ...any) {
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	})
	return path
}

// A catalog of the first version gets what later ones know of its clients.
func TestMigrateFromTheFirst(t *testing.T) {
	id := store.ClientID{1, 2, 3}
	path := earlier(t, 1, func(exec func(string, ...any)) {
		exec(`INSERT INTO clients VALUES (?1, 'ada', NULL, 7, NULL, '', '', '', 1, 5)`, id[:])
		exec(`INSERT INTO usage VALUES (?1, 1, 3, 30)`, id[:])
		exec(`INSERT INTO files SELECT ?1, 'f', value, 'p' || value, value > 1, x'', 0, NULL, NULL, zeroblob(32), '', 0, 10, 9, 0, zeroblob(32), 0, 0 FROM json_each('[1, 2, 3]')`, id[:])
	})
	c, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := store.Usage{Files: 1, Versions: 3, Verified: 2, Bytes: 30}
	page, total, err := c.ListClients(t.Context(), store.ClientQuery{Search: id.Fingerprint(), Limit: 2})
	if err != nil || total != 1 || len(page) != 1 || page[0].Name != "ada" || page[0].Usage != want {
		t.Errorf("by fingerprint: %d, %+v, error %v", total, page, err)
	}
	if totals, err := c.Totals(t.Context()); err != nil || totals != (store.Totals{Clients: 1, Usage: want}) {
		t.Errorf("totals %+v, error %v", totals, err)
	}
}

// Accounts of an earlier version keep the ways that they need, and no other.
func TestMigrateAccess(t *testing.T) {
	tests := []struct {
		name, kind, password     string
		bundle, sealed, overHTTP bool
		closed                   bool
		apiID                    string // own: the id; other; none
	}{
		{name: "a base client", apiID: "none"},
		{name: "taken over", kind: "cpp_client", apiID: "none"},
		{name: "cpp over HTTP", kind: "cpp_client", overHTTP: true, closed: true, apiID: "own"},
		{name: "cpp with a password", kind: "cpp_client", password: "hash", closed: true, apiID: "own"},
		{name: "script", kind: "api_client", closed: true, apiID: "own"},
		{name: "browser", kind: "web_client", password: "hash", bundle: true, closed: true, apiID: "own"},
		{name: "sealed by the command line", sealed: true, closed: true, apiID: "none"},
		{name: "passphrase by the command line", password: "hash", bundle: true, sealed: true, closed: true, apiID: "other"},
		{name: "bundle alone", bundle: true, closed: true, apiID: "none"},
	}
	path := earlier(t, 2, func(exec func(string, ...any)) {
		for i, test := range tests {
			id := store.ClientID{byte(i + 1)}
			exec(`INSERT INTO clients VALUES (?1, ?2, NULL, 7, NULL, ?3, '', ?4, 0, 5)`, id[:], test.name, test.kind, test.password)
			exec(`INSERT INTO usage VALUES (?1, 1, 1, 10, 1)`, id[:])
			if test.bundle {
				exec(`INSERT INTO key_bundles VALUES (?1, x'01')`, id[:])
			}
			if test.overHTTP {
				exec(`INSERT INTO activities VALUES (?1, 1, 'registration', 'ok', ?2, '', '', 0, 0, 0, ?3)`, i+1, id[:], test.kind)
			}
			format := 1
			if test.sealed {
				format = 4
			}
			exec(`INSERT INTO files VALUES (?1, 'f', 1, ?2, 1, x'', 0, NULL, NULL, zeroblob(32), '', ?3, 10, 9, 0, zeroblob(32), 0, 0)`, id[:], test.name, format)
		}
	})
	c, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, test := range tests {
		got, err := c.Client(t.Context(), store.ClientID{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		apiID := "other"
		switch got.APIID {
		case store.APIID{}:
			apiID = "none"
		case store.APIID(got.ID):
			apiID = "own"
		}
		if got.BaseClosed != test.closed || apiID != test.apiID {
			t.Errorf("%s: closed %v, API id %s; want %v, %s", test.name, got.BaseClosed, apiID, test.closed, test.apiID)
		}
	}
}

// A removal that an earlier version had begun is one still.
func TestMigrateRemovals(t *testing.T) {
	want := []store.ClientID{{0, 1, 10, 16, 255, 15: 7}, {200, 15: 1}}
	for _, kept := range []struct {
		text any
		want []store.ClientID
	}{{nil, nil}, {"null", nil}, {"[]", nil}, {marshal(t, want), want}} {
		path := earlier(t, 4, func(exec func(string, ...any)) {
			if kept.text != nil {
				exec(`INSERT INTO settings VALUES ('removals', CAST(? AS BLOB)), ('other', x'01')`, kept.text)
			}
		})
		c, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Removals(t.Context())
		if err != nil || !slices.Equal(got, kept.want) {
			t.Errorf("%v became %x, error %v", kept.text, got, err)
		}
		if left, err := c.Setting(t.Context(), "removals"); left != nil || err != nil {
			t.Errorf("the setting is still there: %s, error %v", left, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
