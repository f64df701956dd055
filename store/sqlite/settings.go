package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// checkKey is the setting that Check writes.
const checkKey = "catalog.check"

// Setting returns the value kept under a key, nil if there is none.
func (c *Catalog) Setting(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := c.query.setting.QueryRowContext(ctx, key).Scan(&value)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read setting %s: %w", key, explain(err))
	case value == nil:
		return []byte{}, nil // kept, and empty
	}
	return value, nil
}

// SetSetting keeps a value under a key.
func (c *Catalog) SetSetting(ctx context.Context, key string, value []byte) error {
	if err := c.write(ctx, func(t *tx) error { return t.setSetting(key, value) }); err != nil {
		return fmt.Errorf("keep setting %s: %w", key, err)
	}
	return nil
}

func (t *tx) setSetting(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	_, err := t.exec(t.stmts.setSetting, key, value)
	return err
}
