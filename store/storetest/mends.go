package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"coffer/store"
	"coffer/store/packset"
)

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
