package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/packset"
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

// A pack that nothing needs is dead at once, can be read for a while, and comes
// back as another one only.
func testSweep(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	must(t, "nothing", func() error { _, err := c.SweepPacks(ctx, b.client, patient); return err }())
	b.begin(1, 0)
	b.puts(1, 6)
	b.commit(0, []int{1, 2, 3}, nil) // 4, 5 and 6 were put for nothing
	b.begin(2, 0)                    // pins what it asks for
	wantEqual(t, "there", b.ask(4), []bool{true})
	swept := b.sweep(patient)
	wantEqual(t, "marked", swept.Marked, 2)
	wantEqual(t, "bytes", swept.Bytes, 2*packSize)
	b.wantUsage("swept", store.PackUsage{Packs: 4, Bytes: 4 * packSize, Dead: 2, Freed: 2 * packSize})
	wantEqual(t, "there", b.ask(1, 4, 5, 6), []bool{true, true, false, false})
	dead, err := c.Pack(ctx, b.client, packID(5))
	must(t, "read a dead pack", err)
	wantEqual(t, "state", dead.State, store.PackDead)
	must(t, "mark a dead pack", c.MarkDamaged(ctx, b.client, []uint32{dead.Ordinal}, true))

	again := b.put(5)
	if again.Ordinal == dead.Ordinal {
		t.Error("a dead pack came back")
	}
	p, err := c.Pack(ctx, b.client, packID(5))
	must(t, "pack", err)
	wantEqual(t, "ordinal", p.Ordinal, again.Ordinal)
	must(t, "forget a pack in use", c.ForgetPacks(ctx, b.client, []uint32{again.Ordinal}))
	wantEqual(t, "there", b.ask(5), []bool{true})

	// 24 hours of passes, of which the first did not count.
	for hour := range 23 {
		if swept := b.sweep(patient); len(swept.Removable) > 0 {
			t.Fatalf("removable after %d hours", hour)
		}
	}
	rules := patient
	rules.Elapsed = 0 // however long the server was off
	for range 5 {
		wantEqual(t, "removable without passes", len(b.sweep(rules).Removable), 0)
	}
	swept = b.sweep(patient)
	var removed []store.BlobRef
	for _, p := range swept.Removable {
		removed = append(removed, p.Blob)
	}
	wantSet(t, "removed", removed, []store.BlobRef{"pack/5/5", "pack/6/6"})
	b.wantUsage("removed", store.PackUsage{Packs: 5, Bytes: 5 * packSize})
	b.wantNeeds(1, 1, 2, 3)
}

// A commit of what was swept is refused.
func testCommitSwept(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.put(1)
	must(t, "end", c.EndRun(ctx, b.client, b.run))
	b.begin(2, 0)
	b.put(2)
	v, err := b.version([]int{2}, nil)
	must(t, "version", err)
	set, err := packset.Decode(v.Snapshot.Packs)
	must(t, "decode", err)
	set.AddOrdinals(1, 1) // of a run that ended; not asked for
	v.Snapshot.Packs, err = set.Encode()
	must(t, "encode", err)
	b.sweep(patient)
	for range 2 { // dead, then forgotten
		_, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v}, keepNewest(0))
		if _, ok := errors.AsType[*store.MissingPacks](err); !ok {
			t.Errorf("commit of a swept pack: %v", err)
		}
		now := patient
		now.Grace = 0
		b.sweep(now)
	}
	b.commit(0, []int{2}, nil)
	b.wantNeeds(1, 2)
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

// Runs that are idle for long end, counted by passes; others live on.
func testRunsExpire(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.put(1)
	b.begin(2, 0)
	b.put(2)
	rules := store.SweepRules{Elapsed: time.Hour, Grace: time.Hour, RunIdle: 3 * time.Hour}
	var expired []int
	for hour := range 8 {
		b.run = runID(2)
		b.ask(2)
		swept := b.sweep(rules)
		for _, r := range swept.Expired {
			wantEqual(t, "expired", r.ID, runID(1))
			expired = append(expired, hour)
		}
	}
	wantEqual(t, "expired in pass", expired, []int{3})
	_, err := c.Run(ctx, b.client, runID(1))
	wantErr(t, "the run", err, store.ErrNoRun)
	wantEqual(t, "there", b.ask(1, 2), []bool{false, true})
	more, err := c.SweepLeftovers(ctx)
	must(t, "leftovers", err)
	wantEqual(t, "more leftovers", more, false)
	wantEqual(t, "there", b.ask(2), []bool{true})
	// A pack that was placed under the run that ended comes too late, even if
	// its client begins a run of that id again.
	b.begin(1, 0)
	ordinal, _, err := c.PlacePack(ctx, b.client, runID(1), packID(7))
	must(t, "place", err)
	must(t, "end", c.EndRun(ctx, b.client, runID(1)))
	b.sweep(rules)
	b.begin(1, 0)
	_, err = c.AddPack(ctx, runID(1), store.Pack{Client: b.client, ID: packID(7), Ordinal: ordinal, Size: packSize, Blob: "late"})
	wantErr(t, "add too late", err, store.ErrNoRun)
}

// A run's base is pinned though its version goes.
func testBaseIsPinned(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.puts(1, 3)
	b.commit(0, []int{1, 2, 3}, nil)
	b.begin(2, 1)
	_, err := c.Remove(ctx, b.client, b.name, 0)
	must(t, "remove", err)
	wantEqual(t, "marked", b.sweep(patient).Marked, 0)
	b.put(4)
	b.commit(0, []int{4}, []int{2})
	b.wantNeeds(1, 1, 3, 4)
	wantEqual(t, "marked", b.sweep(patient).Marked, 1)
}

// A step of a sweep is bounded.
func testSweepSteps(t *testing.T, c store.Catalog) {
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.puts(1, 25)
	must(t, "end", c.EndRun(t.Context(), b.client, b.run))
	rules := store.SweepRules{Elapsed: time.Hour, RunIdle: time.Hour, Grace: time.Hour, Limit: 10}
	for i, want := range []int{10, 10, 5, 0} {
		swept, err := c.SweepPacks(t.Context(), b.client, rules)
		rules.Elapsed = 0
		must(t, "sweep", err)
		if swept.Marked != want || swept.More != (i < 2) || len(swept.Removable) > 0 {
			t.Errorf("step %d: %+v", i, swept)
		}
	}
	rules.Elapsed = time.Hour
	for i, want := range []int{10, 10, 5} {
		swept, err := c.SweepPacks(t.Context(), b.client, rules)
		rules.Elapsed = 0
		must(t, "sweep", err)
		if len(swept.Removable) != want || swept.More != (i < 2) {
			t.Errorf("step %d: %d are removable, more %t", i, len(swept.Removable), swept.More)
		}
		for _, p := range swept.Removable {
			must(t, "forget", c.ForgetPacks(t.Context(), b.client, []uint32{p.Ordinal}))
		}
	}
	b.wantUsage("after all", store.PackUsage{})
}

// A snapshot whose needs cannot be read keeps everything.
func testUnreadableNeeds(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.puts(1, 3)
	must(t, "end", c.EndRun(ctx, b.client, b.run))
	for number := range uint32(3) {
		v := newVersion(1, b.name, 10, number)
		v.Number = number + 1
		set := new(packset.Set)
		set.AddOrdinals(1, 1)
		packs, err := set.Encode()
		must(t, "encode", err)
		if number == 1 {
			packs = []byte("no set")
		}
		v.Snapshot = &store.SnapshotMetadata{Run: runID(int(number) + 10), Packs: packs}
		must(t, "add version", c.AddVersion(ctx, v))
	}
	_, err := c.SweepPacks(ctx, b.client, patient)
	wantErr(t, "sweep", err, store.ErrDamaged)
	usage, err := c.PackUsage(ctx, b.client)
	must(t, "usage", err)
	wantEqual(t, "usage", usage, store.PackUsage{Packs: 3, Bytes: 3 * packSize})
	list, err := c.ListSnapshots(ctx, b.client, store.SnapshotQuery{All: true, Limit: 10})
	must(t, "list", err)
	wantEqual(t, "listed", len(list), 3)
	_, err = c.Remove(ctx, b.client, b.name, 2)
	must(t, "remove", err)
	wantEqual(t, "marked", b.sweep(patient).Marked, 2)
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

func testMends(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.puts(1, 2)
	b.commit(0, []int{1, 2}, nil)
	must(t, "mark", c.MarkDamaged(ctx, b.client, []uint32{1}, false))
	b.begin(2, 1)
	b.put(3)
	mend := func(blob store.BlobRef, packs ...uint32) store.Mend {
		set := new(packset.Set)
		for _, ordinal := range packs {
			set.AddOrdinals(ordinal, ordinal)
		}
		m := store.Mend{Metadata: newMetadata(1, b.name, 300), Number: 1, Blob: blob}
		encoded, err := set.Encode()
		must(t, "encode", err)
		m.Metadata.Snapshot = &store.SnapshotMetadata{Run: b.run, Packs: encoded, Mend: true}
		return m
	}
	_, err := c.AddMend(ctx, mend("bad", 1))
	if _, ok := errors.AsType[*store.MissingPacks](err); !ok {
		t.Errorf("a mend that needs a damaged pack: %v", err)
	}
	m := mend("mend", 3)
	unused, err := c.AddMend(ctx, m)
	must(t, "add mend", err)
	wantEqual(t, "unused", unused, "")
	again := m
	again.Blob = "again"
	unused, err = c.AddMend(ctx, again)
	must(t, "add mend again", err)
	wantEqual(t, "unused", unused, "again")
	none := m
	none.Number = 7
	_, err = c.AddMend(ctx, none)
	wantErr(t, "mend no snapshot", err, store.ErrNoFile)

	mends, err := c.Mends(ctx, b.client, b.name, 1)
	must(t, "mends", err)
	wantEqual(t, "mends", mends, []store.Mend{m})
	refers, err := c.Refers(ctx, "mend")
	must(t, "refers", err)
	wantEqual(t, "refers", refers, true)
	s, err := c.Snapshot(ctx, b.client, b.name, 1)
	must(t, "snapshot", err)
	if s.Mends != 1 || s.Damaged != 1 || s.Packs != 2 {
		t.Errorf("a mended snapshot: %+v", s)
	}
	must(t, "end", c.EndRun(ctx, b.client, b.run))
	wantEqual(t, "marked", b.sweep(patient).Marked, 0)
	b.wantNeeds(1, 1, 2, 3)
	blobs, err := c.Remove(ctx, b.client, b.name, 0)
	must(t, "remove", err)
	wantEqual(t, "blobs", len(blobs), 2)
	if !slices.Contains(blobs, "mend") {
		t.Errorf("the mend's blob is not among %v", blobs)
	}
	wantEqual(t, "marked", b.sweep(patient).Marked, 3)
	refers, err = c.Refers(ctx, "mend")
	must(t, "refers", err)
	wantEqual(t, "refers", refers, false)
}

// A client goes with its snapshots and packs, which may take several steps in
// which nobody sees them.
func testRemoveClientWithPacks(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	other := newBackup(t, c, 2)
	other.begin(9, 0)
	other.put(1)
	other.commit(0, []int{1}, nil)
	b.begin(1, 0)
	b.puts(1, 20)
	b.commit(0, []int{1, 2, 3}, nil)
	m := store.Mend{Metadata: newMetadata(1, b.name, 300), Number: 1, Blob: "mend"}
	m.Metadata.Snapshot = &store.SnapshotMetadata{Run: runID(3), Mend: true}
	must(t, "mend", c.RestoreMend(ctx, m))
	b.begin(2, 1)
	blobs, err := c.RemoveClient(ctx, b.client)
	must(t, "remove", err)
	wantEqual(t, "blobs", len(blobs), 2)
	_, err = c.Pack(ctx, b.client, packID(1))
	wantErr(t, "its pack", err, store.ErrNoPack)
	_, err = c.AskPacks(ctx, b.client, runID(2), packIDs(1))
	wantErr(t, "ask", err, store.ErrNoRun)
	_, err = c.SweepPacks(ctx, b.client, patient)
	must(t, "sweep", err)
	must(t, "add it anew", c.AddClient(ctx, newClient(1)))
	b.begin(2, 0)
	wantEqual(t, "there", b.ask(1), []bool{false})
	wantEqual(t, "ordinal", b.put(1).Ordinal, 1)
	for more := true; more; {
		more, err = c.SweepLeftovers(ctx)
		must(t, "leftovers", err)
	}
	wantEqual(t, "there", b.ask(1), []bool{true})
	b.wantUsage("of the new one", store.PackUsage{Packs: 1, Bytes: packSize})
	other.wantNeeds(1, 1)
	var owners []store.ClientID
	must(t, "owners", c.PackOwners(ctx, func(id store.ClientID) error { owners = append(owners, id); return nil }))
	wantEqual(t, "owners", len(owners), 2)
}

// A catalog is filled from what lies beside the blobs, in any order; what is
// not there is lost.
func testRestoreSnapshots(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	sets := [][]uint32{{1, 2, 3}, {2, 3, 7}, {3, 7, 9}}
	for _, i := range []int{2, 0, 1} {
		set := new(packset.Set)
		for _, ordinal := range sets[i] {
			set.AddOrdinals(ordinal, ordinal)
		}
		v := newVersion(1, b.name, 10, i)
		v.Number = uint32(i + 1)
		packs, err := set.Encode()
		must(t, "encode", err)
		v.Snapshot = &store.SnapshotMetadata{Run: runID(i), Head: []byte{1}, Packs: packs, PackBytes: 3 * packSize}
		must(t, "add version", c.AddVersion(ctx, v))
	}
	var packs []store.Pack
	for _, n := range []int{2, 3, 4, 9, 11} { // 1 and 7 are lost, nothing needs 4 and 11
		packs = append(packs, store.Pack{ID: packID(n), Ordinal: uint32(n), Size: packSize, Blob: store.BlobRef(fmt.Sprint("pack/", n))})
	}
	added, err := c.AddPacks(ctx, b.client, packs)
	must(t, "add packs", err)
	wantEqual(t, "added", added, 5)
	must(t, "settle", c.SettlePacks(ctx, b.client))
	for i, lost := range []int64{1, 1, 1} {
		s, err := c.Snapshot(ctx, b.client, b.name, uint32(i+1))
		must(t, "snapshot", err)
		wantEqual(t, "lost", s.Damaged, lost)
	}
	page, err := c.SnapshotPacks(ctx, b.client, b.name, 1, 0, 10)
	must(t, "packs", err)
	if len(page) != 3 || page[0].Ordinal != 1 || page[0].Blob != "" || page[1].ID != packID(2) {
		t.Errorf("packs: %+v", page)
	}
	wantEqual(t, "marked", b.sweep(patient).Marked, 2)
	b.begin(50, 3)
	wantEqual(t, "there", b.ask(3, 7, 9, 4), []bool{true, false, true, false})
	wantEqual(t, "ordinal", b.put(12).Ordinal, 12)
	b.commit(3, []int{12}, nil)
	b.wantNeeds(4, 3, 9, 12)
	added, err = c.AddPacks(ctx, b.client, []store.Pack{{ID: packID(99), Ordinal: 4, Blob: "dead"}, {ID: packID(3), Ordinal: 77, Blob: "other"}})
	must(t, "add packs", err)
	wantEqual(t, "added of a dead ordinal, and of an id there is", added, 0)
}
