package storetest

import (
	"errors"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/packset"
)

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
