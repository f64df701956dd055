package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"coffer/store"
)

const (
	selectFormerKeys = `SELECT Kind, Since, Until, Value, OAEPHash, PasswordHash FROM former_keys
		WHERE ID = ? ORDER BY Until DESC, Kind`
	insertFormerKey = `INSERT INTO former_keys (ID, Kind, Since, Until, Value, OAEPHash, PasswordHash)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET Since = excluded.Since, Value = excluded.Value,
			OAEPHash = excluded.OAEPHash, PasswordHash = excluded.PasswordHash`
)

func scanFormerKey(row scanner) (store.FormerKey, error) {
	var k store.FormerKey
	var since, until int64
	err := row.Scan(&k.Kind, &since, &until, &k.Value, &k.OAEPHash, &k.PasswordHash)
	k.Since, k.Until = unstamp(since), unstamp(until)
	return k, err
}

// FormerKeys returns the keys and bundles that others have replaced.
func (c *Catalog) FormerKeys(ctx context.Context, id store.ClientID) ([]store.FormerKey, error) {
	rows, err := c.query.formerKeys.QueryContext(ctx, id[:])
	var found []store.FormerKey
	if err == nil {
		err = eachRow(rows, func(row scanner) error {
			k, err := scanFormerKey(row)
			found = append(found, k)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read former keys: %w", explain(err))
	}
	return found, nil
}

// AddFormerKey adds a key or bundle that another has replaced.
func (c *Catalog) AddFormerKey(ctx context.Context, id store.ClientID, k store.FormerKey) error {
	if err := c.write(ctx, func(t *tx) error { return t.addFormerKey(id, k) }); err != nil {
		return fmt.Errorf("keep a former key: %w", err)
	}
	return nil
}

func (t *tx) addFormerKey(id store.ClientID, k store.FormerKey) error {
	_, err := t.exec(t.stmts.addFormerKey, id[:], string(k.Kind), stamp(k.Since), stamp(k.Until), k.Value, k.OAEPHash, k.PasswordHash)
	if isOrphan(err) {
		return store.ErrNoClient
	}
	return err
}

// retireKey keeps what another replaces at this moment. It was in force since
// it replaced the one before, or since the client was there.
func (t *tx) retireKey(id store.ClientID, k store.FormerKey) error {
	client, err := t.client(id)
	if err != nil {
		return err
	}
	k.Since, k.Until = client.Created, time.Now().UTC()
	var kept []store.FormerKey // of this kind, the newest first
	err = t.each(t.stmts.formerKeys, func(row scanner) error {
		other, err := scanFormerKey(row)
		if other.Kind == k.Kind {
			kept = append(kept, other)
		}
		return err
	}, id[:])
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		k.Since = kept[0].Until
		if !k.Until.After(k.Since) {
			k.Until = k.Since.Add(1) // two within one tick of the clock
		}
	}
	for len(kept) >= store.MaxFormerKeys {
		i := shortest(kept)
		if _, err := t.exec(t.stmts.dropFormerKey, id[:], string(k.Kind), stamp(kept[i].Until)); err != nil {
			return err
		}
		kept = slices.Delete(kept, i, i+1)
	}
	return t.addFormerKey(id, k)
}

// shortest finds the one that was in force for the shortest time; of those
// alike, the newest.
func shortest(keys []store.FormerKey) int {
	at := 0
	for i, k := range keys {
		if k.Until.Sub(k.Since) < keys[at].Until.Sub(keys[at].Since) {
			at = i
		}
	}
	return at
}

// ForgetFormerKeys removes keys that were replaced before a moment.
func (c *Catalog) ForgetFormerKeys(ctx context.Context, before time.Time) ([]store.ClientID, error) {
	var owners []store.ClientID
	err := c.write(ctx, func(t *tx) error {
		owners = nil
		return t.eachWrite(t.stmts.forgetFormerKeys, func(row scanner) error {
			var id store.ClientID
			err := row.Scan(fixed(id[:]))
			if !slices.Contains(owners, id) {
				owners = append(owners, id)
			}
			return err
		}, stamp(before))
	})
	if err != nil {
		return nil, fmt.Errorf("forget former keys: %w", err)
	}
	return owners, nil
}
