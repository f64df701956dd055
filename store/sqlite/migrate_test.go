package sqlite

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"coffer/store"
)

// A catalog of the first version gets what later ones know of its clients.
func TestMigrateFromTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "defensive.db")
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
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	id := store.ClientID{1, 2, 3}
	for _, s := range []string{
		`INSERT INTO clients VALUES (?1, 'ada', NULL, 7, NULL, '', '', '', 1, 5)`,
		`INSERT INTO usage VALUES (?1, 1, 3, 30)`,
		`INSERT INTO files SELECT ?1, 'f', value, 'p' || value, value > 1, x'', 0, NULL, NULL, zeroblob(32), '', 0, 10, 9, 0, zeroblob(32), 0, 0 FROM json_each('[1, 2, 3]')`,
	} {
		if _, err := db.ExecContext(t.Context(), s, id[:]); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
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
