package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	driver "modernc.org/sqlite"

	"coffer/store"
)

var _ store.Backuper = (*Catalog)(nil)

// backupPages is how many pages are copied between checks whether to continue.
const backupPages = 256

// Backup copies the catalog by SQLite's online backup. Changes continue during
// the copy and are not in it.
func (c *Catalog) Backup(ctx context.Context, path string, progress func(done, total int64)) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make the backup's file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("back up the catalog: %w", explain(err)), os.Remove(path))
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	if err := c.backup(ctx, path, progress); err != nil {
		return err
	}
	return syncFile(path)
}

func (c *Catalog) backup(ctx context.Context, path string, progress func(done, total int64)) (err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	conn, err := c.reads.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// One transaction from beginning to end keeps the moment: what is written
	// by another connection would have the copy begin again and again.
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	var version int64
	if err := tx.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version); err != nil {
		return err
	}
	return conn.Raw(func(c any) error {
		source, ok := c.(interface {
			NewBackup(uri string) (*driver.Backup, error)
		})
		if !ok {
			return errors.New("the driver knows no backup")
		}
		b, err := source.NewBackup(fileURL(abs, nil).String())
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = b.Step(backupPages); err == nil {
				total := int64(b.PageCount())
				progress(total-int64(b.Remaining()), total)
				err = ctx.Err()
			}
		}
		return errors.Join(err, b.Finish())
	})
}

// syncFile brings a file, and that it is there, to stable storage.
func syncFile(path string) error {
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// fileURL names a database file with pragmas to begin with.
func fileURL(abs string, pragmas []string) *url.URL {
	slashed := filepath.ToSlash(abs)
	if slashed[0] != '/' {
		slashed = "/" + slashed // a drive letter
	}
	return &url.URL{Scheme: "file", Path: slashed, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
}
