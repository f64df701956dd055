package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
	"coffer/store/sqlite"
)

// largeCatalog compares starting and listing with few and with many files.
func (b *bench) largeCatalog(ctx context.Context) error {
	for _, rows := range []int{10_000, b.rows} {
		if err := b.catalogOf(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) catalogOf(ctx context.Context, rows int) (err error) {
	dir := filepath.Join(b.tmp, "catalog")
	defer os.RemoveAll(dir)
	// The core makes the data folder and the owner of the files.
	core, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return errors.Join(err, core.stop())
	}
	owner, err := register(core.addr, "owner", key)
	if err := errors.Join(err, core.stop()); err != nil {
		return err
	}
	owner.nc.Close()
	if err := fill(ctx, filepath.Join(dir, "defensive.db"), store.ClientID(owner.id), rows); err != nil {
		return err
	}
	if core, err = b.start(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.stop()) }()
	b.report(fmt.Sprintf("start with %d files", rows), core.took.Seconds()*1e3, "ms")

	session, err := client.Dial(ctx, core.addr, client.Options{})
	if err != nil {
		return err
	}
	defer session.Close()
	if err := prove(ctx, session, owner, key); err != nil {
		return err
	}
	var times []time.Duration
	for i := range 21 {
		after := fmt.Sprintf("folder/file %09d", i*rows/21)
		began := time.Now()
		list, err := session.ListFiles(ctx, owner.id, protocol.ListFiles{Limit: 100, AfterName: after, AfterVersion: 1})
		if err != nil {
			return err
		}
		if len(list.Files) != 100 {
			return fmt.Errorf("a page has %d files", len(list.Files))
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.report(fmt.Sprintf("page of 100 of %d files", rows), times[len(times)/2].Seconds()*1e3, "ms")
	return nil
}

// prove takes a session key and proves to hold it.
func prove(ctx context.Context, conn *client.Conn, owner *baseClient, key *rsa.PrivateKey) error {
	answer, err := conn.Reconnect(ctx, owner.id, "owner")
	if err != nil {
		return err
	}
	sessionKey, err := crypt.Unwrap(key, crypt.SHA256, answer.WrappedKey)
	if err != nil {
		return err
	}
	return conn.Prove(ctx, owner.id, sessionKey)
}

// fill adds files straight to the catalog.
func fill(ctx context.Context, path string, owner store.ClientID, rows int) error {
	catalog, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	now := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	const workers = 256 // so that commits are shared
	for w := range workers {
		group.Go(func() error {
			for i := w; i < rows; i += workers {
				v := store.Version{Number: 1, Verified: true, Created: now, Blob: store.BlobRef(fmt.Sprintf("packs/00000001.pack@%d", i))}
				v.Client, v.Name, v.OAEPHash, v.Size, v.Received = owner, fmt.Sprintf("folder/file %09d", i), "sha256", 16, now
				v.WrappedKey = make([]byte, 256)
				if err := catalog.AddVersion(ctx, v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), catalog.Close())
}
