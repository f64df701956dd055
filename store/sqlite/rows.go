package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"coffer/store"
)

// A scanner is a row, from *sql.Row or *sql.Rows.
type scanner interface {
	Scan(dest ...any) error
}

// eachRow calls visit for every row and closes rows.
func eachRow(rows *sql.Rows, visit func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fixed scans a blob that has exactly the length of its bytes.
type fixed []byte

// Scan implements sql.Scanner.
func (f fixed) Scan(column any) error {
	b, ok := column.([]byte)
	if !ok || len(b) != len(f) {
		return fmt.Errorf("%w: a column should hold %d bytes", store.ErrDamaged, len(f))
	}
	copy(f, b)
	return nil
}

// orNull is b for a column that is null when there is nothing in it.
func orNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// stamp and unstamp turn times into columns and back; a zero time is 0.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func unstamp(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// queries are the statements that only read.
type queries struct {
	client, clientByName, clientsAfter, sessions, keyBundle *sql.Stmt
	version, newest, versions, versionsAfter, rest          *sql.Stmt
	newestAfter, refers, usage, setting, suspended          *sql.Stmt
	clientByAPIID, formerKeys                               *sql.Stmt
	revokedTokens, revokedAccounts, removals                *sql.Stmt
	ownersAfter                                             *sql.Stmt
	machine, machines, labelMachine                         *sql.Stmt

	packQueries

	all []*sql.Stmt
}

func (q *queries) prepare(ctx context.Context, db *sql.DB) error {
	var err error
	q.all, err = prepareAll(ctx, db, q.queries(), map[**sql.Stmt]string{
		&q.client:        selectClient,
		&q.clientByName:  "SELECT " + clientColumns + " FROM clients WHERE Name = ?",
		&q.clientsAfter:  "SELECT " + clientColumns + " FROM clients WHERE ID > ? ORDER BY ID LIMIT ?",
		&q.sessions:      "SELECT " + clientColumns + " FROM clients WHERE AESKey IS NOT NULL",
		&q.keyBundle:     "SELECT Bundle FROM clients LEFT JOIN key_bundles USING (ID) WHERE ID = ?",
		&q.version:       "SELECT " + versionColumns + " FROM files WHERE ID = ? AND FileName = ? AND Version = ?",
		&q.newest:        "SELECT " + versionColumns + " FROM files WHERE ID = ? AND FileName = ? ORDER BY Version DESC LIMIT 1",
		&q.versions:      "SELECT " + versionColumns + " FROM files WHERE ID = ? AND FileName = ? ORDER BY Version DESC",
		&q.rest:          selectRest,
		&q.versionsAfter: selectVersionsAfter,
		&q.newestAfter:   selectNewestAfter,
		&q.refers:        "SELECT EXISTS (SELECT 1 FROM files WHERE PathName = ?1) OR EXISTS (SELECT 1 FROM mends WHERE PathName = ?1)",
		&q.usage:         "SELECT Files, Versions, Verified, Bytes FROM usage WHERE ID = ?",
		&q.suspended:     "SELECT ID FROM clients WHERE Suspended",
		&q.clientByAPIID: "SELECT " + clientColumns + " FROM clients WHERE APIID = ?",
		&q.formerKeys:    selectFormerKeys,

		&q.revokedTokens:   "SELECT Token, Expires FROM revoked_tokens",
		&q.revokedAccounts: "SELECT Account, Until, Expires FROM revoked_accounts",

		&q.machine:      selectMachine + " WHERE ID = ?",
		&q.machines:     selectMachine + " WHERE Client = ? ORDER BY Name",
		&q.labelMachine: selectLabelMachine,

		&q.removals:    "SELECT ID FROM removals",
		&q.ownersAfter: "SELECT Number, Client FROM pack_owners WHERE Number > ? AND Client IS NOT NULL ORDER BY Number LIMIT ?",
		&q.setting:     "SELECT Value FROM settings WHERE Key = ?",
	})
	return err
}

func (q *queries) close() error { return closeAll(q.all) }
