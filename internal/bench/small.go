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
)

// smallFiles compares how many files of 4 KiB 32 clients have durably
// committed in a second with how many times the disk syncs in a second.
func (b *bench) smallFiles(ctx context.Context) (err error) {
	syncs, err := b.syncs(3 * time.Second)
	if err != nil {
		return err
	}
	rate, _, err := b.commitSmall(ctx)
	if err != nil {
		return err
	}
	b.report("4 KiB files committed, 32 clients", rate, "1/s")
	b.report("syncs of 4 KiB written", syncs, "1/s")
	b.report("files committed / syncs", rate/syncs, "ratio")
	return nil
}

// activities compares committing small files while what happens is remembered
// with doing so while it is not, each several times in turn.
func (b *bench) activities(ctx context.Context) error {
	const rounds = 5
	var rates, cpus [2][]float64
	for range rounds {
		for i, keep := range []string{"0", "100000"} {
			rate, cpu, err := b.commitSmall(ctx, "--activity-keep", keep)
			if err != nil {
				return err
			}
			rates[i], cpus[i] = append(rates[i], rate), append(cpus[i], cpu.Seconds())
		}
	}
	b.report("4 KiB files committed with activities / without", median(rates[1])/median(rates[0]), "ratio")
	b.report("the core's processor time a file with activities / without", median(cpus[1])/median(cpus[0]), "ratio")
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// commitSmall measures how many files of 4 KiB 32 clients durably commit in a
// second, and how much processor time the core takes for each.
func (b *bench) commitSmall(ctx context.Context, flags ...string) (rate float64, cpu time.Duration, err error) {
	return b.commitSmallIn(ctx, func(_ *core, commit func() error) error { return commit() }, flags...)
}

// commitSmallIn is commitSmall in circumstances that in makes.
func (b *bench) commitSmallIn(ctx context.Context, in func(c *core, commit func() error) error, flags ...string) (rate float64, cpu time.Duration, err error) {
	dir := filepath.Join(b.tmp, "small")
	defer os.RemoveAll(dir)
	core, err := b.start(ctx, dir, flags...)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		err = errors.Join(err, core.stop())
		used := core.cmd.ProcessState
		cpu = (used.UserTime() + used.SystemTime()) / (smallClients * smallEach)
	}()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, 0, err
	}
	all := make([]*baseClient, smallClients)
	for i := range all {
		if all[i], err = register(core.addr, fmt.Sprintf("client %d", i), key); err != nil {
			return 0, 0, err
		}
		defer all[i].nc.Close()
	}
	err = in(core, func() error {
		began := time.Now()
		var group errgroup.Group
		for _, c := range all {
			group.Go(func() error {
				for n := range smallEach {
					if err := c.send(fmt.Sprintf("file %d", n), 4096); err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := group.Wait()
		rate = smallClients * smallEach / time.Since(began).Seconds()
		return err
	})
	return rate, 0, err
}

// smallClients each send smallEach files.
const smallClients, smallEach = 32, 1500

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
