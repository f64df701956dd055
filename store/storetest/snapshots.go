package storetest

import (
	"fmt"
	"slices"
	"testing"

	"coffer/store"
)

func testCommitSnapshot(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.puts(1, 3)
	v := b.commit(0, []int{1, 2, 3}, nil)
	b.wantNeeds(1, 1, 2, 3)

	s, err := c.Snapshot(ctx, b.client, b.name, 0)
	must(t, "snapshot", err)
	want := store.Snapshot{Version: v, Run: runID(1), Head: v.Snapshot.Head, Packs: 3, PackBytes: 3 * packSize}
	want.Snapshot = nil
	wantEqual(t, "snapshot", s, want)
	found, err := c.Version(ctx, b.client, b.name, 1)
	must(t, "version", err)
	wantEqual(t, "version", found, want.Version)
	made, err := c.Committed(ctx, b.client, runID(1))
	must(t, "committed", err)
	wantEqual(t, "committed", made, want)
	_, err = c.Run(ctx, b.client, runID(1))
	wantErr(t, "the run", err, store.ErrNoRun)

	// Once more, with the same blob and with another.
	for _, blob := range []store.BlobRef{v.Blob, "another"} {
		again := v
		again.Blob = blob
		number, dropped, err := c.CommitSnapshot(ctx, store.SnapshotCommit{Version: again, Before: 0}, keepNewest(0))
		must(t, "commit again", err)
		wantEqual(t, "number", number, 1)
		if blob == v.Blob {
			wantEqual(t, "dropped", len(dropped), 0)
		} else {
			wantSet(t, "dropped", dropped, []store.BlobRef{"another"})
		}
	}
	b.begin(2, 1)
	b.puts(4, 5)
	b.commit(1, []int{4, 5}, []int{1, 99})
	b.wantNeeds(2, 2, 3, 4, 5)
	wantEqual(t, "newest", b.begin(3, 2), 2)
	usage, err := c.Usage(ctx, b.client)
	must(t, "usage", err)
	wantEqual(t, "usage", usage, store.Usage{Files: 1, Versions: 2, Verified: 2, Bytes: 1000 + 5*packSize})

	_, err = c.Committed(ctx, b.client, runID(3))
	wantErr(t, "committed by a run under way", err, store.ErrNoFile)
	_, err = c.Snapshot(ctx, b.client, "f", 0)
	wantErr(t, "no snapshot", err, store.ErrNoFile)
	_, err = c.SnapshotPacks(ctx, b.client, b.name, 9, 0, 10)
	wantErr(t, "packs of none", err, store.ErrNoFile)
	refers, err := c.Refers(ctx, v.Blob)
	must(t, "refers", err)
	wantEqual(t, "refers", refers, true)
}

// Of two runs that start from one version, the second to commit is refused,
// and can commit once it knows.
func testSnapshotConflict(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.begin(2, 0)
	b.put(1)
	b.run = runID(1)
	b.put(2)
	b.commit(0, []int{2}, nil)
	b.run = runID(2)
	v, err := b.version([]int{1}, nil)
	must(t, "version", err)
	for _, before := range []uint32{0, 2} {
		_, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: before}, keepNewest(0))
		wantErr(t, fmt.Sprintf("commit after %d", before), err, store.ErrConflict)
	}
	b.commit(1, []int{1}, nil)

	b.begin(3, 2)
	v, err = b.version(nil, nil)
	must(t, "version", err)
	v.Name = "s/another"
	_, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: 0}, keepNewest(0))
	wantErr(t, "commit under another name", err, store.ErrNoRun)
	v.Name, v.Snapshot.Run = b.name, runID(99)
	_, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: 2}, keepNewest(0))
	wantErr(t, "commit without a run", err, store.ErrNoRun)
	v.Client = clientID(9)
	_, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: 0}, keepNewest(0))
	wantErr(t, "commit for nobody", err, store.ErrNoClient)
}

// What the last version with it is removed with is useless then, and not
// before, in whatever order they go.
func testRemoveSnapshots(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	sets := [][]int{{1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {1, 5, 6}, {6}}
	for i, set := range sets {
		b.begin(i, 0)
		for _, n := range set {
			b.put(n)
		}
		b.commit(uint32(i), set, nil)
	}
	alive := map[int][]int{1: sets[0], 2: sets[1], 3: sets[2], 4: sets[3], 5: sets[4]}
	for _, gone := range []int{3, 1, 5, 2, 4} {
		if swept := b.sweep(patient); swept.Marked > 0 {
			t.Errorf("before version %d went: marked %d", gone, swept.Marked)
		}
		blobs, err := c.Remove(ctx, b.client, b.name, uint32(gone))
		must(t, "remove", err)
		wantEqual(t, "blobs", len(blobs), 1)
		var useless []int
		for _, n := range alive[gone] {
			needed := false
			for other, set := range alive {
				needed = needed || other != gone && slices.Contains(set, n)
			}
			if !needed {
				useless = append(useless, n)
			}
		}
		delete(alive, gone)
		swept := b.sweep(patient)
		wantEqual(t, fmt.Sprintf("marked with version %d", gone), swept.Marked, len(useless))
		for number, set := range alive {
			b.wantNeeds(uint32(number), set...)
		}
	}
	b.wantUsage("in the end", store.PackUsage{Dead: 6, Freed: 6 * packSize})
	_, err := c.Committed(ctx, b.client, runID(1))
	wantErr(t, "committed and removed", err, store.ErrNoFile)
}

// Old versions go by count as those of files do; what they alone needed is
// swept.
func testKeepSnapshots(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	for i := range 5 {
		b.begin(i, uint32(i))
		b.put(i)
		dropped := []int{}
		if i > 0 {
			dropped = append(dropped, i-1)
		}
		v, err := b.version([]int{i}, dropped)
		must(t, "version", err)
		_, gone, err := c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: uint32(i)}, keepNewest(2))
		must(t, "commit", err)
		wantEqual(t, "dropped", len(gone), min(1, max(0, i-1)))
		wantEqual(t, "marked", b.sweep(patient).Marked, min(1, max(0, i-1)))
		b.wantNeeds(uint32(i+1), i)
	}
}

func testListSnapshots(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	var want []store.Cursor
	runs := 0
	for _, name := range []string{"s/a", "s/b", "s/c", "s/d"} {
		b.name = name
		for i := range uint32(3) {
			runs++
			b.begin(runs, 0)
			b.put(runs)
			b.commit(i, []int{runs}, nil)
		}
		want = append(want, store.Cursor{Name: name, Number: 3}, store.Cursor{Name: name, Number: 2}, store.Cursor{Name: name, Number: 1})
	}
	_, _, err := c.Commit(ctx, newVersion(1, "s/bb: a file", 1, "file"), keepNewest(0))
	must(t, "commit a file", err)
	for _, q := range []store.SnapshotQuery{{All: true}, {}, {All: true, Only: "s/c"}, {Only: "s/c"}, {Only: "s/none"}, {All: true, Only: "s/none"}} {
		for limit := 1; limit < 6; limit++ {
			var expect []store.Cursor
			for _, at := range want {
				if (q.All || at.Number == 3) && (q.Only == "" || q.Only == at.Name) {
					expect = append(expect, at)
				}
			}
			var got []store.Cursor
			q.Limit, q.After = limit, store.Cursor{}
			for {
				page, err := c.ListSnapshots(ctx, b.client, q)
				must(t, "list", err)
				if len(page) > limit {
					t.Fatalf("a page of %d", len(page))
				}
				for _, s := range page {
					q.After = store.Cursor{Name: s.Name, Number: s.Number}
					got = append(got, q.After)
					if s.Packs != 1 || string(s.Head) != "head "+s.Run.String() || s.Blob == "" || s.Client != b.client {
						t.Errorf("listed %+v", s)
					}
				}
				if len(page) < limit {
					break
				}
			}
			wantEqual(t, fmt.Sprintf("by %+v", q), got, expect)
		}
	}
	none, err := c.ListSnapshots(ctx, clientID(9), store.SnapshotQuery{Limit: 10})
	must(t, "list nobody's", err)
	wantEqual(t, "nobody's", len(none), 0)
}
