package sqlite

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/store"
)

// BenchmarkCommit32 is 32 clients that each commit small files.
func BenchmarkCommit32(b *testing.B) { benchmarkCommits(b, false) }

func benchmarkCommits(b *testing.B, note bool) {
	c := openTest(b)
	const clients = 32
	var ids [clients]store.ClientID
	for i := range ids {
		ids[i] = addTestClient(b, c, i)
	}
	before := c.GroupCommits()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				name := fmt.Sprintf("folder/file %07d", n)
				if _, _, err := c.Commit(b.Context(), testVersion(ids[i], name, name), store.Retention{Versions: 5}); err != nil {
					b.Error(err)
					return
				}
				if note {
					c.NoteActivity(store.Activity{At: time.Now(), Kind: store.ActivityUpload, Outcome: store.OutcomeOK,
						Client: ids[i], Name: fmt.Sprint("client ", i), File: name, Version: 1, Bytes: 4096, Took: time.Millisecond})
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after := c.GroupCommits()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric((after.Changes.Sum-before.Changes.Sum)/float64(transactions(after)-transactions(before)), "ops/sync")
}

// BenchmarkList is a page of 1,000 out of catalogs of several sizes.
func BenchmarkList(b *testing.B) {
	for _, files := range []int{10_000, 1_000_000} {
		c := openTest(b)
		id := addTestClient(b, c, 1)
		name := func(i int) string { return fmt.Sprintf("folder %d/file %07d", i%7, i) }
		fill(b, c, id, func(add func(string, int)) {
			for i := range files {
				add(name(i), 1)
			}
			for i := range 100_000 {
				add(name(files/2), i+2)
			}
		})
		for _, all := range []bool{false, true} {
			b.Run(fmt.Sprintf("files=%d/all=%t", files, all), func(b *testing.B) {
				for i := range b.N {
					after := store.Cursor{Name: name(files / 2), Number: uint32(50_000 + i)}
					page, err := c.List(b.Context(), id, after, 1000, all)
					if err != nil || len(page) != 1000 {
						b.Fatalf("a page of %d, error %v", len(page), err)
					}
				}
			})
		}
	}
}
