package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"coffer/store"
)

// A tx is the transaction that an operation runs in, shared with others.
type tx struct {
	ctx   context.Context
	stmts *statements
	wrote bool                            // the operation that runs has written something
	usage map[store.ClientID]*store.Usage // changes, applied once before the commit

	changes []clientChange // for the register, after the commit
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(s *sql.Stmt, args ...any) (int64, error) {
	result, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	changed, err := result.RowsAffected()
	t.wrote = t.wrote || changed > 0
	return changed, err
}

// each runs a statement to its end and calls visit for every row it returns.
func (t *tx) each(s *sql.Stmt, visit func(scanner) error, args ...any) error {
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, visit)
}

// eachWrite is each for a statement that returns the rows it changes.
func (t *tx) eachWrite(s *sql.Stmt, visit func(scanner) error, args ...any) error {
	n := 0
	err := t.each(s, func(row scanner) error { n++; return visit(row) }, args...)
	t.wrote = t.wrote || n > 0
	return err
}

// use notes a change of what a client has stored.
func (t *tx) use(id store.ClientID, more store.Usage) {
	if t.usage == nil {
		t.usage = make(map[store.ClientID]*store.Usage)
	}
	u := t.usage[id]
	if u == nil {
		u = new(store.Usage)
		t.usage[id] = u
	}
	add(u, more)
}

func add(u *store.Usage, more store.Usage) {
	u.Files += more.Files
	u.Versions += more.Versions
	u.Verified += more.Verified
	u.Bytes += more.Bytes
}

// addUsage writes the changes noted, one row for each client.
func (t *tx) addUsage() error {
	for id, u := range t.usage {
		if *u == (store.Usage{}) {
			continue
		}
		if _, err := t.exec(t.stmts.addUsage, u.Files, u.Versions, u.Verified, u.Bytes, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// statements are those of the connection that writes.
type statements struct {
	begin, commit, rollback *sql.Stmt

	client, addClient, updateClient, removeClient *sql.Stmt
	startUsage, addUsage                          *sql.Stmt
	touchClient, keyBundle, setKeyBundle          *sql.Stmt

	formerKeys, addFormerKey, dropFormerKey, forgetFormerKeys *sql.Stmt

	revokeToken, revokeAccount, forgetTokens, forgetAccounts *sql.Stmt

	beginRemoval, endRemoval *sql.Stmt

	machine, addMachine, touchMachine, endMachine, dropMachine *sql.Stmt
	labelMachine, addLabel, hasRun                             *sql.Stmt

	addNewest, addVersion           *sql.Stmt
	dropOldest, dropOne, dropFile   *sql.Stmt
	clientPaths, dropFiles, hasFile *sql.Stmt
	dropPortion                     *sql.Stmt

	setSetting *sql.Stmt

	addActivity, addActivities, dropActivity *sql.Stmt

	packStatements
	packQueries

	all []*sql.Stmt
}

func (s *statements) prepare(ctx context.Context, conn *sql.Conn) error {
	var err error
	s.all, err = prepareAll(ctx, conn, s.changes(), s.queries(), map[**sql.Stmt]string{
		&s.begin:        "BEGIN IMMEDIATE",
		&s.commit:       "COMMIT",
		&s.rollback:     "ROLLBACK",
		&s.client:       selectClient,
		&s.addClient:    insertClient,
		&s.updateClient: updateClient,
		&s.removeClient: "DELETE FROM clients WHERE ID = ?",
		&s.startUsage:   "INSERT INTO usage (ID, Files, Versions, Verified, Bytes) VALUES (?, 0, 0, 0, 0)",
		&s.addUsage:     "UPDATE usage SET Files = Files + ?, Versions = Versions + ?, Verified = Verified + ?, Bytes = Bytes + ? WHERE ID = ?",
		&s.touchClient:  "UPDATE clients SET LastSeen = ?, AESKey = CASE WHEN ? THEN NULL ELSE AESKey END WHERE ID = ?",
		&s.keyBundle:    "SELECT Bundle FROM key_bundles WHERE ID = ?",
		&s.setKeyBundle: "INSERT INTO key_bundles (ID, Bundle) VALUES (?, ?) ON CONFLICT DO UPDATE SET Bundle = excluded.Bundle",

		&s.formerKeys:       selectFormerKeys,
		&s.addFormerKey:     insertFormerKey,
		&s.dropFormerKey:    "DELETE FROM former_keys WHERE ID = ? AND Kind = ? AND Until = ?",
		&s.forgetFormerKeys: "DELETE FROM former_keys WHERE Until < ? RETURNING ID",

		&s.revokeToken:    "INSERT INTO revoked_tokens (Token, Expires) VALUES (?, ?) ON CONFLICT DO UPDATE SET Expires = max(Expires, excluded.Expires)",
		&s.revokeAccount:  insertRevokedAccount,
		&s.forgetTokens:   "DELETE FROM revoked_tokens WHERE Expires < ?",
		&s.forgetAccounts: "DELETE FROM revoked_accounts WHERE Expires < ?",

		&s.beginRemoval: "INSERT INTO removals (ID) VALUES (?) ON CONFLICT DO NOTHING",
		&s.endRemoval:   "DELETE FROM removals WHERE ID = ?",

		&s.machine:      selectMachine + " WHERE ID = ?",
		&s.addMachine:   insertMachine,
		&s.touchMachine: "UPDATE machines SET Used = ? WHERE ID = ?",
		&s.endMachine:   "UPDATE machines SET Removed = ? WHERE ID = ? AND Removed = 0",
		&s.dropMachine:  "DELETE FROM machines WHERE ID = ?",
		&s.labelMachine: selectLabelMachine,
		&s.addLabel:     "INSERT INTO machine_labels (Client, Label, Machine) VALUES (?, ?, ?)",
		&s.hasRun:       "SELECT EXISTS (SELECT 1 FROM pack_owners JOIN runs ON runs.Owner = pack_owners.Number WHERE Client = ? AND Name = ?)",

		&s.addNewest:     insertNewest,
		&s.addVersion:    insertVersion,
		&s.dropOldest:    deleteOldest,
		&s.dropOne:       "DELETE FROM files WHERE ID = ? AND FileName = ? AND Version = ? RETURNING " + droppedColumns,
		&s.dropFile:      "DELETE FROM files WHERE ID = ? AND FileName = ? RETURNING " + droppedColumns,
		&s.clientPaths:   "SELECT PathName FROM files WHERE ID = ?",
		&s.dropFiles:     "DELETE FROM files WHERE ID = ?",
		&s.dropPortion:   deletePortion,
		&s.hasFile:       "SELECT count(*) FROM (SELECT 1 FROM files WHERE ID = ? AND FileName = ? LIMIT 1)",
		&s.addActivity:   insertActivities(1),
		&s.addActivities: insertActivities(noteBatch),
		&s.dropActivity:  dropActivity,
		&s.setSetting:    "INSERT INTO settings (Key, Value) VALUES (?, ?) ON CONFLICT DO UPDATE SET Value = excluded.Value",
	})
	return err
}

func (s *statements) close() error { return closeAll(s.all) }

// A preparer is an *sql.DB or an *sql.Conn.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func prepareAll(ctx context.Context, p preparer, groups ...map[**sql.Stmt]string) (all []*sql.Stmt, err error) {
	for _, queries := range groups {
		for stmt, query := range queries {
			if *stmt, err = p.PrepareContext(ctx, query); err != nil {
				return nil, errors.Join(fmt.Errorf("prepare %q: %w", query, err), closeAll(all))
			}
			all = append(all, *stmt)
		}
	}
	return all, nil
}

func closeAll(stmts []*sql.Stmt) error {
	var errs []error
	for _, s := range stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
