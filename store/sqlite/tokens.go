package sqlite

import (
	"context"
	"fmt"
	"time"

	"coffer/store"
)

const insertRevokedAccount = `INSERT INTO revoked_accounts (Account, Until, Expires) VALUES (?, ?, ?)
	ON CONFLICT DO UPDATE SET Until = max(Until, excluded.Until), Expires = max(Expires, excluded.Expires)`

// Revoke keeps revocations.
func (c *Catalog) Revoke(ctx context.Context, all ...store.Revocation) error {
	err := c.write(ctx, func(t *tx) error {
		for _, one := range all {
			if err := t.revoke(one); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke tokens: %w", err)
	}
	return nil
}

func (t *tx) revoke(one store.Revocation) (err error) {
	if one.Account == "" {
		_, err = t.exec(t.stmts.revokeToken, one.Token[:], stamp(one.Expires))
	} else {
		_, err = t.exec(t.stmts.revokeAccount, one.Account, stamp(one.Until), stamp(one.Expires))
	}
	return err
}

// Revocations visits all that are kept.
func (c *Catalog) Revocations(ctx context.Context, visit func(store.Revocation) error) error {
	rows, err := c.query.revokedTokens.QueryContext(ctx)
	if err == nil {
		err = eachRow(rows, func(row scanner) error {
			var one store.Revocation
			var expires int64
			if err := row.Scan(fixed(one.Token[:]), &expires); err != nil {
				return err
			}
			one.Expires = unstamp(expires)
			return visit(one)
		})
	}
	if err == nil {
		rows, err = c.query.revokedAccounts.QueryContext(ctx)
	}
	if err == nil {
		err = eachRow(rows, func(row scanner) error {
			var one store.Revocation
			var until, expires int64
			if err := row.Scan(&one.Account, &until, &expires); err != nil {
				return err
			}
			one.Until, one.Expires = unstamp(until), unstamp(expires)
			return visit(one)
		})
	}
	if err != nil {
		return fmt.Errorf("read revoked tokens: %w", explain(err))
	}
	return nil
}

// ForgetRevocations removes revocations that expired before a moment.
func (c *Catalog) ForgetRevocations(ctx context.Context, before time.Time) error {
	err := c.write(ctx, func(t *tx) error {
		if _, err := t.exec(t.stmts.forgetTokens, stamp(before)); err != nil {
			return err
		}
		_, err := t.exec(t.stmts.forgetAccounts, stamp(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget revoked tokens: %w", err)
	}
	return nil
}
