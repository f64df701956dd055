package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"coffer/internal/program"
	"coffer/server"
	"coffer/store"
)

// accountCmd is what an operator does for an account's owner.
type accountCmd struct {
	Keys accountKeysCmd `cmd:"" help:"List replaced public keys and key bundles of an account, or restore one."`
}

// accountKeysCmd lists former keys and puts them back.
type accountKeysCmd struct {
	dataFlags
	program.LogFlags `envprefix:"COFFER_SERVER_"`

	Name    string `arg:"" help:"Name of the account."`
	Restore int    `help:"Restore the key with this number. A key bundle is restored together with its password, and all sessions of the account end." placeholder:"N"`
}

// Run lists or restores. The server must not be running on the data folder.
func (cmd *accountKeysCmd) Run(ctx context.Context, std program.Streams) (err error) {
	d, err := cmd.open(ctx, cmd.Logger(std))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	keys, err := server.FormerKeys(ctx, d.catalog, cmd.Name)
	if errors.Is(err, store.ErrNoClient) {
		return fmt.Errorf("no account is named %q", cmd.Name)
	}
	if err != nil {
		return err
	}
	if cmd.Restore != 0 {
		if cmd.Restore < 1 || cmd.Restore > len(keys) {
			return fmt.Errorf("%w: --restore: %q has no replaced key number %d", program.ErrUsage, cmd.Name, cmd.Restore)
		}
		k := keys[cmd.Restore-1]
		if err := server.RestoreKey(ctx, d.catalog, d.blobs, cmd.Name, k); err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.Out, "restored the %s of %s; the key that it replaces is now in the list\n", keyKind(k.Kind), k.Until.UTC().Format(time.DateTime))
		return err
	}
	if len(keys) == 0 {
		_, err = fmt.Fprintf(std.Out, "no keys of %s were replaced in the last 90 days\n", program.Printable(cmd.Name))
		return err
	}
	for i, k := range keys {
		sum := sha256.Sum256(k.Value)
		if _, err := fmt.Fprintf(std.Out, "%d  %-10s  in force %s to %s UTC  SHA-256 %s\n", i+1, keyKind(k.Kind),
			k.Since.UTC().Format(time.DateTime), k.Until.UTC().Format(time.DateTime), hex.EncodeToString(sum[:8])); err != nil {
			return err
		}
	}
	return nil
}

func keyKind(kind store.FormerKeyKind) string {
	if kind == store.FormerBundle {
		return "key bundle"
	}
	return "public key"
}
