package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
)

// formerKeysFor is how long keys and bundles are kept that others replaced.
const formerKeysFor = 90 * 24 * time.Hour

// forgetFormerKeys forgets former keys and bundles after their time, in the
// catalog and beside the blobs.
func (a *accounts) forgetFormerKeys(ctx context.Context, now time.Time) {
	owners, err := a.catalog.ForgetFormerKeys(ctx, now.Add(-formerKeysFor))
	for _, id := range owners {
		err = errors.Join(err, a.renewRecord(ctx, id))
	}
	if err != nil {
		a.log.Error("cannot forget former keys", "error", err)
	}
}

func (a *accounts) renewRecord(ctx context.Context, id store.ClientID) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	client, err := a.catalog.Client(ctx, id)
	if errors.Is(err, store.ErrNoClient) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.putRecord(ctx, client)
}

// FormerKeys are a client's keys and bundles that others have replaced, the
// newest first.
func FormerKeys(ctx context.Context, catalog store.Clients, name string) ([]store.FormerKey, error) {
	client, err := catalog.ClientByName(ctx, name)
	if err != nil {
		return nil, err
	}
	return catalog.FormerKeys(ctx, client.ID)
}

// RestoreKey restores a former key of a client, a bundle with the password that
// opened it, on storage that no server uses. The current key becomes a former
// one. All session tokens of the client end.
func RestoreKey(ctx context.Context, catalog store.Catalog, blobs store.Blobs, name string, k store.FormerKey) error {
	client, err := catalog.ClientByName(ctx, name)
	if err != nil {
		return err
	}
	now := time.Now()
	dead := store.Revocation{Account: name, Until: now, Expires: now.Add(protocol.MaxTokenTTL)}
	if err := catalog.Revoke(ctx, dead); err != nil {
		return err
	}
	switch k.Kind {
	case store.FormerBundle:
		client, err = catalog.UpdateSignIn(ctx, client.ID, k.Value, func(c *store.Client) error {
			if k.PasswordHash != "" { // else nobody signed in to it
				c.PasswordHash = k.PasswordHash
			}
			return nil
		})
	case store.FormerPublicKey:
		if _, _, err := crypt.ParsePublicKey(k.Value); err != nil {
			return fmt.Errorf("the former key: %w", err)
		}
		client, err = catalog.UpdateClient(ctx, client.ID, func(c *store.Client) error {
			c.PublicKey, c.OAEPHash, c.SessionKey = k.Value, k.OAEPHash, nil
			return nil
		})
	default:
		return fmt.Errorf("a former key of the kind %q", k.Kind)
	}
	if err != nil {
		return err
	}
	return PutAccountRecord(ctx, catalog, blobs, client)
}

// RecordedKeys finds what an account record holds beside the client.
type RecordedKeys interface {
	KeyBundle(ctx context.Context, id store.ClientID) ([]byte, error)
	FormerKeys(ctx context.Context, id store.ClientID) ([]store.FormerKey, error)
}

// A RecordKeeper keeps account records beside the blobs.
type RecordKeeper interface {
	PutAccountRecord(ctx context.Context, record store.AccountRecord) error
}

// PutAccountRecord writes a client's account record.
func PutAccountRecord(ctx context.Context, catalog RecordedKeys, records RecordKeeper, client store.Client) error {
	bundle, err := catalog.KeyBundle(ctx, client.ID)
	if err != nil {
		return err
	}
	former, err := catalog.FormerKeys(ctx, client.ID)
	if err != nil {
		return err
	}
	return records.PutAccountRecord(ctx, store.AccountRecord{Client: client, Bundle: bundle, Former: former})
}
