package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// smallFiles compares how many files of 4 KiB 32 clients have durably
// committed in a second with how many times the disk syncs in a second.
func (b *bench) smallFiles(ctx context.Context) (err error) {
	syncs, err := b.syncs(3 * time.Second)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.tmp, "small")
	defer os.RemoveAll(dir)
	core, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.stop()) }()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	const clients, each = 32, 1500
	all := make([]*baseClient, clients)
	for i := range all {
		if all[i], err = register(core.addr, fmt.Sprintf("client %d", i), key); err != nil {
			return err
		}
		defer all[i].nc.Close()
	}
	began := time.Now()
	var group errgroup.Group
	for _, c := range all {
		group.Go(func() error {
			for n := range each {
				if err := c.send(fmt.Sprintf("file %d", n), 4096); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	rate := clients * each / time.Since(began).Seconds()
	b.report("4 KiB files committed, 32 clients", rate, "1/s")
	b.report("syncs of 4 KiB written", syncs, "1/s")
	b.report("files committed / syncs", rate/syncs, "ratio")
	return nil
}

// syncs counts how often 4 KiB can be written and synced in a second.
func (b *bench) syncs(d time.Duration) (float64, error) {
	f, err := os.Create(filepath.Join(b.tmp, "syncs"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	began, n := time.Now(), 0
	for ; time.Since(began) < d; n++ {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
