package memstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"coffer/store"
)

// KeyBundle returns the client's key bundle, nil if it has none.
func (c *Catalog) KeyBundle(ctx context.Context, id store.ClientID) (bundle []byte, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err == nil {
			bundle = bytes.Clone(one.bundle)
		}
		return err
	})
	return bundle, err
}

// SetKeyBundle replaces the client's key bundle.
func (c *Catalog) SetKeyBundle(ctx context.Context, id store.ClientID, bundle []byte) error {
	return c.write(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err == nil {
			one.setBundle(append([]byte{}, bundle...))
		}
		return err
	})
}

func (c *client) setBundle(bundle []byte) {
	if c.bundle != nil && !bytes.Equal(c.bundle, bundle) {
		c.retire(store.FormerKey{Kind: store.FormerBundle, Value: c.bundle, PasswordHash: c.PasswordHash})
	}
	c.bundle = bundle
}

// retire keeps what another replaces at this moment. It was in force since it
// replaced the one before, or since the client was there.
func (c *client) retire(k store.FormerKey) {
	k.Since, k.Until = c.Created, stamp(time.Now())
	var kept []store.FormerKey // of this kind, the newest first
	for _, other := range c.former {
		if other.Kind == k.Kind {
			kept = append(kept, other)
		}
	}
	if len(kept) > 0 {
		k.Since = kept[0].Until
		if !k.Until.After(k.Since) {
			k.Until = k.Since.Add(1) // two within one tick of the clock
		}
	}
	for len(kept) >= store.MaxFormerKeys {
		i := shortest(kept)
		c.forget(k.Kind, kept[i].Until)
		kept = slices.Delete(kept, i, i+1)
	}
	c.keep(k)
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

func (c *client) forget(kind store.FormerKeyKind, until time.Time) {
	c.former = slices.DeleteFunc(c.former, func(k store.FormerKey) bool { return k.Kind == kind && k.Until.Equal(until) })
}

// keep adds a former key, in place of one of the same moment.
func (c *client) keep(k store.FormerKey) {
	c.forget(k.Kind, k.Until)
	c.former = append(c.former, cloneFormer([]store.FormerKey{k})...)
	slices.SortStableFunc(c.former, func(a, b store.FormerKey) int { return b.Until.Compare(a.Until) })
}

// FormerKeys returns the keys and bundles that others have replaced.
func (c *Catalog) FormerKeys(ctx context.Context, id store.ClientID) (found []store.FormerKey, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		if one := d.clients[id]; one != nil {
			found = cloneFormer(one.former)
		}
		return nil
	})
	return found, err
}

// AddFormerKey adds a key or bundle that another has replaced.
func (c *Catalog) AddFormerKey(ctx context.Context, id store.ClientID, k store.FormerKey) error {
	return c.write(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err == nil {
			one.keep(k)
		}
		return err
	})
}

// ForgetFormerKeys removes keys that were replaced before a moment.
func (c *Catalog) ForgetFormerKeys(ctx context.Context, before time.Time) (owners []store.ClientID, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		for id, one := range d.clients {
			had := len(one.former)
			one.former = slices.DeleteFunc(one.former, func(k store.FormerKey) bool { return k.Until.Before(before) })
			if len(one.former) < had {
				owners = append(owners, id)
			}
		}
		return nil
	})
	return owners, err
}
