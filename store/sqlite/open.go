package sqlite

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readConns bounds the connections that read at the same time; each has a
// cache of its own.
const readConns = 4

// writePragmas set up the connection that writes. FULL syncs the log at every
// commit. The log goes into the file when it has 16 MiB, and is cut back to
// 64 MiB if a long read let it grow beyond.
var writePragmas = []string{
	"busy_timeout(5000)",
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"foreign_keys(1)",
	"cache_size(-8192)",
	"wal_autocheckpoint(4096)",
	"temp_store(2)", // in memory
	"journal_size_limit(67108864)",
}

var readPragmas = []string{
	"busy_timeout(5000)",
	"query_only(1)",
	"cache_size(-2048)",
	"temp_store(2)",
}

// makeFile makes the file if it is not there, so that nobody else can read it.
// SQLite gives its log the same mode.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func openPool(path string, pragmas []string, conns int) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	connector, err := driver.NewConnector(fileURL(abs, pragmas).String())
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(keepingLog{connector})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool, nil
}

// keepingLog connects so that the connection that closes last leaves the log
// and its index, with the room that they have.
type keepingLog struct{ sqldriver.Connector }

// Connect implements driver.Connector.
func (k keepingLog) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	files, ok := conn.(driver.FileControl)
	if !ok {
		return nil, errors.Join(errors.New("the driver cannot keep the log"), conn.Close())
	}
	if _, err := files.FileControlPersistWAL("main", 1); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the log: %w", err), conn.Close())
	}
	return conn, nil
}

// migrate applies the numbered migrations that the file has not seen.
func migrate(ctx context.Context, db *sql.DB) error {
	numbered, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, numbered,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	has, known, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > known {
		return fmt.Errorf("its tables are of version %d, made by a newer program; this one knows up to %d", has, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	return nil
}

// refuseEarlier fails for a database with tables that no migration of ours has
// made: changing an earlier server's file in place could not be undone. Even
// the connection that writes is opened only after this, for it changes the
// journal mode.
func refuseEarlier(ctx context.Context, db *sql.DB) error {
	var tables, migrated int
	err := db.QueryRowContext(ctx,
		`SELECT count(*), count(CASE name WHEN 'goose_db_version' THEN 1 END)
		 FROM sqlite_schema WHERE type = 'table'`).Scan(&tables, &migrated)
	if err != nil {
		return err
	}
	if tables > 0 && migrated == 0 {
		return errors.New("it was made by an earlier server and is left as it is; " +
			"move it aside and bring its contents in with the import command")
	}
	return nil
}
