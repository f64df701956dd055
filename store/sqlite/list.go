package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"coffer/store"
)

const (
	versionColumns = `files.ID, files.FileName, Version, PathName, Verified, Upload, ByID, WireName, WrappedKey,
		KeyFingerprint, OAEPHash, Format, Size, OriginalSize, Cksum, SHA256, Received, Created`

	// selectRest lists what follows within one file.
	selectRest = `SELECT ` + versionColumns + ` FROM files
		WHERE ID = ? AND FileName = ? AND Version < ? ORDER BY Version DESC LIMIT ?`

	selectVersionsAfter = `SELECT ` + versionColumns + ` FROM files
		WHERE ID = ? AND FileName > ? ORDER BY FileName, Version DESC LIMIT ?`

	// selectNewestAfter hops from name to name along the primary key, so that
	// it never reads the older versions.
	selectNewestAfter = `
		WITH RECURSIVE names (name) AS (
			SELECT (SELECT FileName FROM files WHERE ID = ?1 AND FileName > ?2 ORDER BY FileName LIMIT 1)
			UNION ALL
			SELECT (SELECT FileName FROM files WHERE ID = ?1 AND FileName > name ORDER BY FileName LIMIT 1)
			FROM names WHERE name IS NOT NULL
			LIMIT ?3
		)
		SELECT ` + versionColumns + ` FROM names CROSS JOIN files
		WHERE ID = ?1 AND FileName = name AND Version = (
			SELECT Version FROM files WHERE ID = ?1 AND FileName = name ORDER BY Version DESC LIMIT 1)
		ORDER BY name`
)

// versionArgs are the values for insertColumns.
func versionArgs(v *store.Version) []any {
	return []any{
		v.Client[:], v.Name, string(v.Blob), v.Verified, v.Upload[:], v.ByID, orNull(v.WireName),
		orNull(v.WrappedKey), v.KeyFingerprint[:], v.OAEPHash, int64(v.Format), v.Size, v.OriginalSize,
		int64(v.Cksum), v.SHA256[:], stamp(v.Received), stamp(v.Created), int64(v.Number),
	}
}

// scanVersion reads a row of versionColumns.
func scanVersion(row scanner) (store.Version, error) {
	var v store.Version
	var blob string
	var number, format, cksum, received, created int64
	err := row.Scan(
		fixed(v.Client[:]), &v.Name, &number, &blob, &v.Verified, fixed(v.Upload[:]), &v.ByID,
		&v.WireName, &v.WrappedKey, fixed(v.KeyFingerprint[:]), &v.OAEPHash, &format, &v.Size,
		&v.OriginalSize, &cksum, fixed(v.SHA256[:]), &received, &created)
	if err != nil {
		return store.Version{}, err
	}
	v.Blob, v.Number, v.Format, v.Cksum = store.BlobRef(blob), uint32(number), uint8(format), uint32(cksum)
	v.Received, v.Created = unstamp(received), unstamp(created)
	return v, nil
}

// readVersions appends the versions that a query finds to found.
func readVersions(ctx context.Context, found []store.Version, query *sql.Stmt, args ...any) ([]store.Version, error) {
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(row scanner) error {
		v, err := scanVersion(row)
		found = append(found, v)
		return err
	})
	return found, err
}

// List returns up to limit versions that follow after.
func (c *Catalog) List(ctx context.Context, id store.ClientID, after store.Cursor, limit int, all bool) ([]store.Version, error) {
	if limit <= 0 {
		return nil, nil
	}
	page, err := c.list(ctx, id, after, limit, all)
	if err != nil {
		return nil, fmt.Errorf("list files: %w", explain(err))
	}
	return page, nil
}

func (c *Catalog) list(ctx context.Context, id store.ClientID, after store.Cursor, limit int, all bool) ([]store.Version, error) {
	if !all {
		return readVersions(ctx, nil, c.query.newestAfter, id[:], after.Name, limit)
	}
	page, err := readVersions(ctx, nil, c.query.rest, id[:], after.Name, int64(after.Number), limit)
	if err != nil || len(page) == limit {
		return page, err
	}
	return readVersions(ctx, page, c.query.versionsAfter, id[:], after.Name, limit-len(page))
}
