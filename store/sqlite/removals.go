package sqlite

import (
	"context"
	"fmt"

	"coffer/store"
)

// BeginRemoval notes that a client is being removed.
func (c *Catalog) BeginRemoval(ctx context.Context, id store.ClientID) error {
	err := c.write(ctx, func(t *tx) error { _, err := t.exec(t.stmts.beginRemoval, id[:]); return err })
	if err != nil {
		return fmt.Errorf("note a removal: %w", err)
	}
	return nil
}

// EndRemoval forgets that a client was being removed.
func (c *Catalog) EndRemoval(ctx context.Context, id store.ClientID) error {
	err := c.write(ctx, func(t *tx) error { _, err := t.exec(t.stmts.endRemoval, id[:]); return err })
	if err != nil {
		return fmt.Errorf("end a removal: %w", err)
	}
	return nil
}

// Removals returns the clients that are being removed.
func (c *Catalog) Removals(ctx context.Context) ([]store.ClientID, error) {
	ids, err := clientIDs(ctx, c.query.removals)
	if err != nil {
		return nil, fmt.Errorf("read removals: %w", explain(err))
	}
	return ids, nil
}
