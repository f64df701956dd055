package sqlite

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"

	"coffer/store"
)

// fillFingerprints is the migration that gives the clients of an earlier
// version their fingerprints, which SQL cannot compute.
func fillFingerprints() *goose.Migration {
	const version = 3
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT ID FROM clients")
		if err != nil {
			return err
		}
		var ids []store.ClientID
		err = eachRow(rows, func(row scanner) error {
			var id store.ClientID
			err := row.Scan(fixed(id[:]))
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return err
		}
		fill, err := tx.PrepareContext(ctx, "UPDATE clients SET Fingerprint = ? WHERE ID = ?")
		if err != nil {
			return err
		}
		defer fill.Close()
		for _, id := range ids {
			if _, err := fill.ExecContext(ctx, id.Fingerprint(), id[:]); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}
