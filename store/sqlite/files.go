package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"coffer/store"
)

const (
	// droppedColumns are what drop reads.
	droppedColumns = "PathName, Size, Verified, FileName, Version"

	insertColumns = `ID, FileName, PathName, Verified, Upload, ByID, WireName, WrappedKey, KeyFingerprint,
		OAEPHash, Format, Size, OriginalSize, Cksum, SHA256, Received, Created, Version`

	insertVersion = `INSERT INTO files (` + insertColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	insertNewest = `INSERT INTO files (` + insertColumns + `)
		VALUES (?1, ?2, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1 + coalesce(
			(SELECT Version FROM files WHERE ID = ?1 AND FileName = ?2 ORDER BY Version DESC LIMIT 1), 0))
		RETURNING Version`

	// deleteOldest removes the oldest versions that have so many newer ones
	// which, like themselves, are from before a moment. It looks at the oldest
	// few alone, however many there are, and may have to be run again.
	deleteOldest = `DELETE FROM files WHERE ID = ?1 AND FileName = ?2 AND Version IN (
			SELECT Version FROM (
				SELECT Version, Created, lead(Created, ?3) OVER (ORDER BY Version) AS Newer FROM (
					SELECT Version, Created FROM files WHERE ID = ?1 AND FileName = ?2 ORDER BY Version LIMIT ?3 + ?5))
			WHERE Created <= ?4 AND Newer <= ?4)
		RETURNING ` + droppedColumns

	// deletePortion removes some versions of a client. Each may change a page of
	// the table and of both indexes: together they fit into logSize.
	deletePortion = `DELETE FROM files WHERE rowid IN (
			SELECT rowid FROM files WHERE ID = ? AND FileName >= ? ORDER BY FileName LIMIT 200)
		RETURNING ` + droppedColumns
)

// Commit adds v as the newest version of its file.
func (c *Catalog) Commit(ctx context.Context, v store.Version, keep store.Retention) (uint32, []store.BlobRef, error) {
	var number uint32
	var dropped []store.BlobRef
	err := c.write(ctx, func(t *tx) (err error) {
		number, dropped, err = t.commit(&v, keep)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("commit a file version: %w", err)
	}
	return number, dropped, nil
}

func (t *tx) commit(v *store.Version, keep store.Retention) (number uint32, dropped []store.BlobRef, err error) {
	v.Number, err = t.addNewest(v)
	if err != nil {
		return 0, nil, err
	}
	dropped, err = t.prune(v, keep)
	return v.Number, dropped, err
}

// addNewest adds v as the newest version of its file.
func (t *tx) addNewest(v *store.Version) (number uint32, err error) {
	args := versionArgs(v)
	err = t.eachWrite(t.stmts.addNewest, func(row scanner) error { return row.Scan(&number) }, args[:len(args)-1]...)
	if isOrphan(err) {
		return 0, store.ErrNoClient
	}
	if err != nil {
		return 0, err
	}
	var files int64
	if number == 1 { // one above none
		files = 1
	}
	t.use(v.Client, store.Usage{Files: files, Versions: 1, Verified: verified(v), Bytes: v.Size})
	return number, nil
}

// pruned is how many versions one statement drops at most.
const pruned = 32

// prune drops the versions of v's file that need not be kept beside it.
func (t *tx) prune(v *store.Version, keep store.Retention) (dropped []store.BlobRef, err error) {
	if keep.Versions == 0 || int64(v.Number) <= int64(keep.Versions) {
		return nil, nil
	}
	moment := stamp(v.Created.Add(-keep.MinAge))
	for {
		some, n, err := t.dropCounted(t.stmts.dropOldest, v.Client, v.Name, keep.Versions, moment, pruned)
		dropped = append(dropped, some...)
		if err != nil || n < pruned {
			return dropped, err
		}
	}
}

// drop runs a statement that deletes versions of a file, and returns the blobs
// of these.
func (t *tx) drop(stmt *sql.Stmt, id store.ClientID, name string, more ...any) ([]store.BlobRef, error) {
	dropped, _, err := t.dropCounted(stmt, id, name, more...)
	return dropped, err
}

// dropCounted is drop, and returns how many versions it were, some of which may
// have had several blobs.
func (t *tx) dropCounted(stmt *sql.Stmt, id store.ClientID, name string, more ...any) (dropped []store.BlobRef, versions int, err error) {
	var less store.Usage
	var gone []store.Cursor
	err = t.eachWrite(stmt, func(row scanner) error {
		var path store.BlobRef
		var size int64
		var verified bool
		var at store.Cursor
		err := row.Scan(&path, &size, &verified, &at.Name, &at.Number)
		dropped, gone = append(dropped, path), append(gone, at)
		less.Versions--
		less.Bytes -= size
		if verified {
			less.Verified--
		}
		return err
	}, append([]any{id[:], name}, more...)...)
	if err != nil || len(gone) == 0 {
		return nil, 0, err
	}
	t.use(id, less)
	mends, err := t.dropSnapshots(id, gone)
	return append(dropped, mends...), len(gone), err
}

// AddVersion adds v under the number it bears.
func (c *Catalog) AddVersion(ctx context.Context, v store.Version) error {
	if err := c.write(ctx, func(t *tx) error { return t.addVersion(&v) }); err != nil {
		return fmt.Errorf("add a file version: %w", err)
	}
	return nil
}

func (t *tx) addVersion(v *store.Version) error {
	existed, err := t.hasFile(v.Client, v.Name)
	if err != nil {
		return err
	}
	if _, err := t.drop(t.stmts.dropOne, v.Client, v.Name, int64(v.Number)); err != nil {
		return err
	}
	_, err = t.exec(t.stmts.addVersion, versionArgs(v)...)
	if isOrphan(err) {
		return store.ErrNoClient
	}
	if err != nil {
		return err
	}
	var files int64
	if !existed {
		files = 1
	}
	t.use(v.Client, store.Usage{Files: files, Versions: 1, Verified: verified(v), Bytes: v.Size})
	if v.Snapshot == nil {
		return nil
	}
	o, err := t.grow(v.Client)
	if err != nil {
		return err
	}
	return t.addSnapshot(o, v)
}

// verified is 1 for a version whose checksum its client has confirmed.
func verified(v *store.Version) int64 {
	if v.Verified {
		return 1
	}
	return 0
}

func (t *tx) hasFile(id store.ClientID, name string) (bool, error) {
	var n int
	err := t.each(t.stmts.hasFile, func(row scanner) error { return row.Scan(&n) }, id[:], name)
	return n > 0, err
}

// Remove removes one version of a file, or all if number is 0.
func (c *Catalog) Remove(ctx context.Context, id store.ClientID, name string, number uint32) ([]store.BlobRef, error) {
	var dropped []store.BlobRef
	err := c.write(ctx, func(t *tx) (err error) { dropped, err = t.remove(id, name, number); return err })
	if err != nil {
		return nil, fmt.Errorf("remove a file: %w", err)
	}
	return dropped, nil
}

func (t *tx) remove(id store.ClientID, name string, number uint32) (dropped []store.BlobRef, err error) {
	if number == 0 {
		dropped, err = t.drop(t.stmts.dropFile, id, name)
	} else {
		dropped, err = t.drop(t.stmts.dropOne, id, name, int64(number))
	}
	if err != nil {
		return nil, err
	}
	if len(dropped) == 0 {
		return nil, store.ErrNoFile
	}
	left, err := t.hasFile(id, name)
	if err == nil && !left {
		t.use(id, store.Usage{Files: -1})
	}
	return dropped, err
}

// Version finds a version of a file, the newest if number is 0.
func (c *Catalog) Version(ctx context.Context, id store.ClientID, name string, number uint32) (store.Version, error) {
	var row *sql.Row
	if number == 0 {
		row = c.query.newest.QueryRowContext(ctx, id[:], name)
	} else {
		row = c.query.version.QueryRowContext(ctx, id[:], name, int64(number))
	}
	v, err := scanVersion(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNoFile
	}
	if err != nil {
		return store.Version{}, fmt.Errorf("find a file: %w", explain(err))
	}
	return v, nil
}

// Versions returns all versions of a file, the newest first.
func (c *Catalog) Versions(ctx context.Context, id store.ClientID, name string) ([]store.Version, error) {
	found, err := readVersions(ctx, nil, c.query.versions, id[:], name)
	if err == nil && len(found) == 0 {
		err = store.ErrNoFile
	}
	if err != nil {
		return nil, fmt.Errorf("find a file: %w", explain(err))
	}
	return found, nil
}

// Refers reports whether any version refers to the blob.
func (c *Catalog) Refers(ctx context.Context, ref store.BlobRef) (bool, error) {
	var n int
	if err := c.query.refers.QueryRowContext(ctx, string(ref)).Scan(&n); err != nil {
		return false, fmt.Errorf("look for a blob: %w", explain(err))
	}
	return n > 0, nil
}

// Usage returns what one client has stored.
func (c *Catalog) Usage(ctx context.Context, id store.ClientID) (store.Usage, error) {
	var u store.Usage
	err := c.query.usage.QueryRowContext(ctx, id[:]).Scan(&u.Files, &u.Versions, &u.Verified, &u.Bytes)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNoClient
	}
	if err != nil {
		return store.Usage{}, fmt.Errorf("read usage: %w", explain(err))
	}
	return u, nil
}
