package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/packset"
)

// packSize is the size of every pack in the suite.
const packSize = 1000

func packID(n int) store.PackID { return sha256.Sum256(fmt.Append(nil, "pack ", n)) }

func runID(n int) (id store.RunID) {
	sum := sha256.Sum256(fmt.Append(nil, "run ", n))
	copy(id[:], sum[:])
	return id
}

// A backup is a client that makes snapshots, and knows what they need.
type backup struct {
	t      *testing.T
	c      store.Catalog
	client store.ClientID
	name   string
	run    store.RunID
	base   uint32
}

func newBackup(t *testing.T, c store.Catalog, client int) *backup {
	t.Helper()
	must(t, "add client", c.AddClient(t.Context(), newClient(client)))
	return &backup{t: t, c: c, client: clientID(client), name: "s/0123456789abcdef0123456789abcdef"}
}

// begin begins a run.
func (b *backup) begin(n int, base uint32) (newest uint32) {
	b.t.Helper()
	b.run, b.base = runID(n), base
	newest, err := b.c.BeginRun(b.t.Context(), store.Run{ID: b.run, Client: b.client, Name: b.name, Base: base, Begun: noon.Add(time.Duration(n))})
	must(b.t, "begin run", err)
	return newest
}

// put stores a pack under the run.
func (b *backup) put(n int) store.Pack {
	b.t.Helper()
	ordinal, there, err := b.c.PlacePack(b.t.Context(), b.client, b.run, packID(n))
	must(b.t, "place pack", err)
	p := store.Pack{Client: b.client, ID: packID(n), Ordinal: ordinal, Size: packSize, Blob: store.BlobRef(fmt.Sprintf("pack/%d/%d", n, ordinal))}
	if there {
		return p
	}
	unused, err := b.c.AddPack(b.t.Context(), b.run, p)
	must(b.t, "add pack", err)
	wantEqual(b.t, "unused", unused, "")
	return p
}

func (b *backup) puts(first, last int) {
	b.t.Helper()
	for n := first; n <= last; n++ {
		b.put(n)
	}
}

func packIDs(numbers ...int) (ids []store.PackID) {
	for _, n := range numbers {
		ids = append(ids, packID(n))
	}
	return ids
}

// ask is which of these packs are there.
func (b *backup) ask(numbers ...int) []bool {
	b.t.Helper()
	found, err := b.c.AskPacks(b.t.Context(), b.client, b.run, packIDs(numbers...))
	must(b.t, "ask packs", err)
	if len(found) != len(numbers) {
		b.t.Fatalf("%d answers for %d packs", len(found), len(numbers))
	}
	there := make([]bool, len(found))
	for i, f := range found {
		there[i] = f.Ordinal != 0
		if there[i] && f.Size != packSize {
			b.t.Errorf("a pack of %d bytes", f.Size)
		}
	}
	return there
}

// version is what the run commits: the base with some packs added and some
// dropped.
func (b *backup) version(added, dropped []int) (store.Version, error) {
	ctx := b.t.Context()
	encoded, size, err := b.c.RunBase(ctx, b.client, b.run)
	if err != nil {
		return store.Version{}, err
	}
	set, err := packset.Decode(encoded)
	if err != nil {
		return store.Version{}, err
	}
	set.Bytes = size
	found, err := b.c.AskPacks(ctx, b.client, b.run, packIDs(added...))
	if err != nil {
		return store.Version{}, err
	}
	set.Add(found...)
	gone, err := b.c.PacksByID(ctx, b.client, packIDs(dropped...))
	if err != nil {
		return store.Version{}, err
	}
	set.Remove(gone...)
	v := newVersion(0, b.name, 500, fmt.Sprint(b.client, b.run))
	v.Client = b.client
	v.Snapshot = &store.SnapshotMetadata{Run: b.run, Head: []byte("head " + b.run.String()), PackBytes: set.Bytes}
	v.Snapshot.Packs, err = set.Encode()
	return v, err
}

// commit commits the run as the version after one.
func (b *backup) commit(before uint32, added, dropped []int) store.Version {
	b.t.Helper()
	v, err := b.version(added, dropped)
	must(b.t, "version", err)
	number, gone, err := b.c.CommitSnapshot(b.t.Context(), store.SnapshotCommit{Version: v, Before: before}, keepNewest(0))
	must(b.t, "commit snapshot", err)
	wantEqual(b.t, "number", number, before+1)
	wantEqual(b.t, "dropped", len(gone), 0)
	v.Number = number
	return v
}

// needs are the packs of a snapshot, by their numbers.
func (b *backup) needs(number uint32) (numbers []int) {
	b.t.Helper()
	const limit = 7
	for after, more := uint32(0), true; more; {
		page, err := b.c.SnapshotPacks(b.t.Context(), b.client, b.name, number, after, limit)
		must(b.t, "snapshot packs", err)
		for _, p := range page {
			numbers = append(numbers, packNumber(p.ID))
			if p.Ordinal <= after {
				b.t.Errorf("ordinal %d after %d", p.Ordinal, after)
			}
			after = p.Ordinal
		}
		more = len(page) == limit
	}
	slices.Sort(numbers)
	return numbers
}

// packNumber is the inverse of packID for small numbers, else -1.
func packNumber(id store.PackID) int {
	for n := range 100 {
		if packID(n) == id {
			return n
		}
	}
	return -1
}

func (b *backup) wantNeeds(number uint32, want ...int) {
	b.t.Helper()
	wantEqual(b.t, fmt.Sprintf("what version %d needs", number), b.needs(number), want)
}

// sweep sweeps until there is nothing more to mark.
func (b *backup) sweep(rules store.SweepRules) (all store.Swept) {
	b.t.Helper()
	for more := true; more; rules.Elapsed = 0 {
		swept, err := b.c.SweepPacks(b.t.Context(), b.client, rules)
		must(b.t, "sweep", err)
		all.Marked += swept.Marked
		all.Bytes += swept.Bytes
		all.Expired = append(all.Expired, swept.Expired...)
		all.Removable = append(all.Removable, swept.Removable...)
		more = swept.More
		var ordinals []uint32
		for _, p := range swept.Removable {
			ordinals = append(ordinals, p.Ordinal)
			wantEqual(b.t, "state of what is removable", p.State, store.PackDead)
		}
		must(b.t, "forget", b.c.ForgetPacks(b.t.Context(), b.client, ordinals))
	}
	return all
}

// patient are rules that end no run and remove nothing in one pass.
var patient = store.SweepRules{Elapsed: time.Hour, Grace: 24 * time.Hour, RunIdle: 168 * time.Hour}

func (b *backup) wantUsage(what string, want store.PackUsage) {
	b.t.Helper()
	got, err := b.c.PackUsage(b.t.Context(), b.client)
	must(b.t, "pack usage", err)
	wantEqual(b.t, "packs "+what, got, want)
	versions := int64(0)
	list, err := b.c.List(b.t.Context(), b.client, store.Cursor{}, 1000, true)
	must(b.t, "list", err)
	for _, v := range list {
		versions += v.Size
	}
	usage, err := b.c.Usage(b.t.Context(), b.client)
	must(b.t, "usage", err)
	wantEqual(b.t, "bytes "+what, usage.Bytes, versions+want.Bytes+want.Freed)
}

func testRuns(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	_, err := c.Run(ctx, b.client, runID(1))
	wantErr(t, "no run", err, store.ErrNoRun)
	_, err = c.AskPacks(ctx, b.client, runID(1), packIDs(1))
	wantErr(t, "ask without a run", err, store.ErrNoRun)
	_, err = c.BeginRun(ctx, store.Run{ID: runID(1), Client: clientID(2), Name: "n"})
	wantErr(t, "nobody's run", err, store.ErrNoClient)
	_, err = c.BeginRun(ctx, store.Run{ID: runID(1), Client: b.client, Name: "n", Base: 1})
	wantErr(t, "a run without its base", err, store.ErrNoFile)

	wantEqual(t, "newest", b.begin(1, 0), 0)
	b.begin(2, 0)
	b.put(1)
	b.put(2)
	b.begin(2, 0) // once more
	runs, err := c.ListRuns(ctx, b.client)
	must(t, "list runs", err)
	if len(runs) != 2 || runs[0].ID != runID(1) || runs[1].ID != runID(2) || runs[1].Packs != 2 || runs[1].Bytes != 2*packSize || runs[0].Packs != 0 {
		t.Errorf("runs: %+v", runs)
	}
	one, err := c.Run(ctx, b.client, runID(2))
	must(t, "run", err)
	wantEqual(t, "run", one, runs[1])
	wantEqual(t, "begun", one.Begun, noon.Add(2))

	b.run = runID(1)
	wantEqual(t, "packs of another run", b.ask(1, 2, 3), []bool{true, true, false})
	must(t, "end", c.EndRun(ctx, b.client, runID(1)))
	wantErr(t, "end again", c.EndRun(ctx, b.client, runID(1)), store.ErrNoRun)
	_, _, err = c.PlacePack(ctx, b.client, runID(1), packID(9))
	wantErr(t, "place after the end", err, store.ErrNoRun)
	_, err = c.AddPack(ctx, runID(1), store.Pack{Client: b.client, ID: packID(9), Ordinal: 3})
	wantErr(t, "add after the end", err, store.ErrNoRun)
	_, _, err = c.RunBase(ctx, b.client, runID(1))
	wantErr(t, "base after the end", err, store.ErrNoRun)
	_, err = c.AddMend(ctx, store.Mend{Metadata: store.Metadata{Client: b.client, Name: b.name, Snapshot: &store.SnapshotMetadata{Run: runID(1)}}, Number: 1})
	wantErr(t, "mend after the end", err, store.ErrNoRun)
}

// A pack that is stored twice is kept once, and ordinals are never used twice.
func testPutPacks(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	var ordinals []uint32
	for n := range 3 {
		ordinals = append(ordinals, b.put(n).Ordinal)
	}
	wantEqual(t, "ordinals", ordinals, []uint32{1, 2, 3})
	b.wantUsage("stored", store.PackUsage{Packs: 3, Bytes: 3 * packSize})
	ordinal, there, err := c.PlacePack(ctx, b.client, b.run, packID(1))
	must(t, "place again", err)
	wantEqual(t, "there", there, true)
	wantEqual(t, "ordinal", ordinal, 2)

	// Two put the same at once.
	first, there1, err := c.PlacePack(ctx, b.client, b.run, packID(7))
	must(t, "place", err)
	b.begin(2, 0)
	second, there2, err := c.PlacePack(ctx, b.client, b.run, packID(7))
	must(t, "place", err)
	if there1 || there2 || first == second {
		t.Errorf("placed at %d, there %t, and at %d, there %t", first, there1, second, there2)
	}
	p := store.Pack{Client: b.client, ID: packID(7), Ordinal: second, Size: packSize, Blob: "second"}
	unused, err := c.AddPack(ctx, runID(2), p)
	must(t, "add", err)
	wantEqual(t, "unused", unused, "")
	unused, err = c.AddPack(ctx, runID(2), p)
	must(t, "add once more", err)
	wantEqual(t, "unused of once more", unused, "")
	unused, err = c.AddPack(ctx, runID(1), store.Pack{Client: b.client, ID: packID(7), Ordinal: first, Size: packSize, Blob: "first"})
	must(t, "add the other", err)
	wantEqual(t, "unused of the other", unused, "first")
	p, err = c.Pack(ctx, b.client, packID(7))
	must(t, "pack", err)
	wantEqual(t, "pack", p, store.Pack{Client: b.client, ID: packID(7), Ordinal: second, Size: packSize, Blob: "second"})
	b.wantUsage("put twice", store.PackUsage{Packs: 4, Bytes: 4 * packSize})

	must(t, "end", c.EndRun(ctx, b.client, runID(2)))
	b.sweep(patient)
	b.run = runID(1)
	wantEqual(t, "there for the run that came second", b.ask(7), []bool{true})

	_, err = c.Pack(ctx, b.client, packID(99))
	wantErr(t, "no pack", err, store.ErrNoPack)
	_, err = c.Pack(ctx, clientID(2), packID(7))
	wantErr(t, "nobody's pack", err, store.ErrNoPack)
	byID, err := c.PacksByID(ctx, b.client, packIDs(99, 1, 99, 0))
	must(t, "packs by id", err)
	if len(byID) != 4 || byID[0].Ordinal != 0 || byID[1].Ordinal != 2 || byID[2].Ordinal != 0 || byID[3].Ordinal != 1 {
		t.Errorf("by id: %+v", byID)
	}
	byOrdinal, err := c.PacksByOrdinal(ctx, b.client, []uint32{3, 77, 1})
	must(t, "packs by ordinal", err)
	if len(byOrdinal) != 3 || byOrdinal[0].ID != packID(2) || byOrdinal[1].Ordinal != 0 || byOrdinal[2].ID != packID(0) {
		t.Errorf("by ordinal: %+v", byOrdinal)
	}
	list, err := c.ListPacks(ctx, b.client, 1, 2)
	must(t, "list packs", err)
	if len(list) != 2 || list[0].Ordinal != 2 || list[1].Ordinal != 3 {
		t.Errorf("list: %+v", list)
	}
	none, err := c.ListPacks(ctx, clientID(2), 0, 10)
	must(t, "list nobody's packs", err)
	wantEqual(t, "nobody's packs", len(none), 0)
}

// A damaged pack is missing for AskPacks and for commits, until the same bytes
// are stored again.
func testDamagedPacks(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	b.puts(1, 4)
	b.commit(0, []int{1, 2, 3, 4}, nil)
	must(t, "mark", c.MarkDamaged(ctx, b.client, []uint32{2, 99}, false))
	s, err := c.Snapshot(ctx, b.client, b.name, 0)
	must(t, "snapshot", err)
	wantEqual(t, "damaged", s.Damaged, 1)
	var needed []uint32
	must(t, "needed by", c.NeededBy(ctx, b.client, 2, func(s store.Snapshot) error { needed = append(needed, s.Number); return nil }))
	wantEqual(t, "needed by", needed, []uint32{1})
	stop := errors.New("stop")
	wantErr(t, "stopped", c.NeededBy(ctx, b.client, 2, func(store.Snapshot) error { return stop }), stop)

	b.begin(2, 1)
	wantEqual(t, "there", b.ask(1, 2, 3), []bool{true, false, true})
	v, err := b.version(nil, nil)
	must(t, "version", err)
	_, _, err = c.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: 1}, keepNewest(0))
	missing, ok := errors.AsType[*store.MissingPacks](err)
	if !ok || !slices.Equal(missing.IDs, packIDs(2)) {
		t.Errorf("a commit with a damaged pack: %v", err)
	}
	b.put(5)
	b.commit(1, []int{5}, []int{2})
	b.wantNeeds(2, 1, 3, 4, 5)

	// Its bytes come again.
	b.begin(3, 2)
	ordinal, there, err := c.PlacePack(ctx, b.client, b.run, packID(2))
	must(t, "place", err)
	wantEqual(t, "ordinal", ordinal, 2)
	wantEqual(t, "there", there, false)
	unused, err := c.AddPack(ctx, b.run, store.Pack{Client: b.client, ID: packID(2), Ordinal: ordinal, Size: packSize, Blob: "again"})
	must(t, "add", err)
	wantEqual(t, "unused", unused, "pack/2/2")
	wantEqual(t, "there", b.ask(2), []bool{true})
	s, err = c.Snapshot(ctx, b.client, b.name, 1)
	must(t, "snapshot", err)
	wantEqual(t, "damaged", s.Damaged, 0)
	b.wantUsage("replaced", store.PackUsage{Packs: 5, Bytes: 5 * packSize})

	must(t, "mark", c.MarkDamaged(ctx, b.client, []uint32{3}, false))
	must(t, "mark whole", c.MarkDamaged(ctx, b.client, []uint32{3}, true))
	wantEqual(t, "there", b.ask(3), []bool{true})
}

// Many ids at once, of which most are there.
func testAskMany(t *testing.T, c store.Catalog) {
	b := newBackup(t, c, 1)
	b.begin(1, 0)
	var packs []store.Pack
	for n := range 2000 {
		packs = append(packs, store.Pack{Client: b.client, ID: packID(n), Ordinal: uint32(n + 10), Size: packSize, Blob: store.BlobRef(fmt.Sprint("p", n))})
	}
	added, err := c.AddPacks(t.Context(), b.client, packs)
	must(t, "add packs", err)
	wantEqual(t, "added", added, 2000)
	added, err = c.AddPacks(t.Context(), b.client, packs)
	must(t, "add packs again", err)
	wantEqual(t, "added again", added, 0)
	numbers := make([]int, 2000)
	for i := range numbers {
		numbers[i] = 2*i + 1
	}
	for i, there := range b.ask(numbers...) {
		if there != (numbers[i] < 2000) {
			t.Fatalf("pack %d: %t", numbers[i], there)
		}
	}
	wantEqual(t, "no ids", len(b.ask()), 0)
	// Asked for and not committed: they are pinned.
	swept := b.sweep(patient)
	wantEqual(t, "marked", swept.Marked, 1000)
	wantEqual(t, "next", b.put(5000).Ordinal, 2010)
	_, err = c.AddPacks(t.Context(), clientID(9), packs)
	wantErr(t, "add nobody's packs", err, store.ErrNoClient)
}
