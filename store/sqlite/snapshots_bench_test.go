package sqlite

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/packset"
)

// How many packs and snapshots there are in the benchmarks of snapshots.
var (
	benchPacks     = flag.Int("bench.packs", 20_000, "packs of the one client")
	benchSnapshots = flag.Int("bench.snapshots", 200, "snapshots of the one client")
)

func benchPack(n int) store.PackID {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return sha256.Sum256(b[:])
}

// BenchmarkSnapshots is one client with many packs and many hourly snapshots,
// each of which needs most of them: asking for 2,000, committing 64 that are
// new, and a pass of a sweep that finds 64 useless.
func BenchmarkSnapshots(b *testing.B) {
	c := openTest(b)
	ctx := b.Context()
	id := addTestClient(b, c, 1)
	began := time.Now()
	for from := 1; from <= *benchPacks; from += 10_000 {
		var packs []store.Pack
		for n := from; n < from+10_000 && n <= *benchPacks; n++ {
			packs = append(packs, store.Pack{ID: benchPack(n), Ordinal: uint32(n), Size: 16 << 20,
				Blob: store.BlobRef(fmt.Sprintf("snapshots/0123456789abcdef0123456789abcdef/ab/%x-%d-0123456789abcdef", benchPack(n), n))})
		}
		if _, err := c.AddPacks(ctx, id, packs); err != nil {
			b.Fatal(err)
		}
	}
	const name = "s/0123456789abcdef0123456789abcdef"
	number := uint32(0)
	next := 0
	var asked, committed time.Duration
	commit := func() {
		var run store.RunID
		next++
		binary.LittleEndian.PutUint32(run[:], uint32(next))
		if _, err := c.BeginRun(ctx, store.Run{ID: run, Client: id, Name: name, Base: number, Begun: time.Now()}); err != nil {
			b.Fatal(err)
		}
		base, size, err := c.RunBase(ctx, id, run)
		if err != nil {
			b.Fatal(err)
		}
		set, err := packset.Decode(base)
		if err != nil {
			b.Fatal(err)
		}
		set.Bytes = size
		if number == 0 {
			set.AddOrdinals(1, uint32(*benchPacks))
		}
		for i := range 64 {
			p := store.Pack{Client: id, ID: benchPack(1<<40 + next*64 + i), Size: 16 << 20}
			if p.Ordinal, _, err = c.PlacePack(ctx, id, run, p.ID); err != nil {
				b.Fatal(err)
			}
			p.Blob = store.BlobRef(fmt.Sprintf("snapshots/0123456789abcdef0123456789abcdef/cd/%x-%d-0123456789abcdef", p.ID, p.Ordinal))
			if _, err = c.AddPack(ctx, run, p); err != nil {
				b.Fatal(err)
			}
			set.Add(store.FoundPack{Ordinal: p.Ordinal, Size: p.Size})
			old, err := c.PacksByOrdinal(ctx, id, []uint32{uint32(1 + (next*64+i)*2654435761%*benchPacks)})
			if err != nil {
				b.Fatal(err)
			}
			set.Remove(old...)
		}
		v := testVersion(id, name, fmt.Sprint("manifest ", next))
		v.Snapshot = &store.SnapshotMetadata{Run: run, Head: make([]byte, 300), PackBytes: set.Bytes}
		if v.Snapshot.Packs, err = set.Encode(); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if number, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: number}, store.Retention{}); err != nil {
			b.Fatal(err)
		}
		committed += time.Since(began)
	}
	for range *benchSnapshots {
		commit()
	}
	b.Logf("%d packs, %d snapshots: made in %v", *benchPacks, *benchSnapshots, time.Since(began).Round(time.Millisecond))
	rules := store.SweepRules{Elapsed: time.Hour, Grace: 24 * time.Hour, RunIdle: 168 * time.Hour, Limit: 2000}
	if _, err := c.SweepPacks(ctx, id, rules); err != nil {
		b.Fatal(err)
	}
	b.Run("ask 2000", func(b *testing.B) {
		run := store.RunID{1, 2, 3, 4, 5}
		if _, err := c.BeginRun(ctx, store.Run{ID: run, Client: id, Name: name, Base: number, Begun: time.Now()}); err != nil {
			b.Fatal(err)
		}
		ids := make([]store.PackID, 2000)
		for i := range b.N {
			for j := range ids {
				ids[j] = benchPack(1 + (i*2000+j)*7919%*benchPacks)
			}
			began := time.Now()
			if _, err := c.AskPacks(ctx, id, run, ids); err != nil {
				b.Fatal(err)
			}
			asked += time.Since(began)
		}
		if err := c.EndRun(ctx, id, run); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("commit 64", func(b *testing.B) {
		committed = 0
		for range b.N {
			commit()
		}
		b.ReportMetric(committed.Seconds()*1000/float64(b.N), "ms/commit")
	})
	b.Run("sweep 64", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			oldest, err := c.Versions(ctx, id, name)
			if err == nil {
				_, err = c.Remove(ctx, id, name, oldest[len(oldest)-1].Number)
			}
			if err != nil {
				b.Fatal(err)
			}
			commit()
			b.StartTimer()
			swept, err := c.SweepPacks(ctx, id, rules)
			if err != nil || swept.Marked == 0 {
				b.Fatalf("%+v, %v", swept, err)
			}
		}
	})
}
