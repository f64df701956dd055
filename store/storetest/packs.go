package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"coffer/store"
)

// storePack stores a pack, a piece at a time.
func storePack(t *testing.T, s store.Blobs, meta store.PackMetadata, content []byte) store.BlobRef {
	t.Helper()
	w, err := s.CreatePack(t.Context(), meta)
	must(t, "create pack", err)
	for piece := range slices.Chunk(content, 1000) {
		_, err := w.Write(piece)
		must(t, "write", err)
	}
	ref, err := w.Commit(t.Context())
	must(t, "commit pack", err)
	return ref
}

func packMetadata(client, n, size int) store.PackMetadata {
	return store.PackMetadata{Client: clientID(client), ID: packID(n), Ordinal: uint32(n), Size: int64(size)}
}

// walkPacks collects the packs that there are, by their ordinals.
func walkPacks(t *testing.T, s store.Blobs) []store.StoredPack {
	t.Helper()
	var found []store.StoredPack
	must(t, "walk packs", s.WalkPacks(t.Context(), func(p store.StoredPack) error {
		if p.Stored.IsZero() || p.Stored.Before(time.Now().Add(-time.Hour)) {
			t.Errorf("a pack of %v", p.Stored)
		}
		p.Stored = time.Time{}
		found = append(found, p)
		return nil
	}))
	slices.SortFunc(found, func(a, b store.StoredPack) int {
		return cmp.Or(cmp.Compare(a.Metadata.Ordinal, b.Metadata.Ordinal), cmp.Compare(a.Ref, b.Ref))
	})
	return found
}

func testPacks(t *testing.T, s *reopener) {
	var want []store.StoredPack
	for n, size := range []int{1, 1000, 70_000, 3_000_000} {
		meta := packMetadata(n%2, n+1, size)
		want = append(want, store.StoredPack{Ref: storePack(t, s, meta, content(n, size)), Metadata: meta})
	}
	keep(t, s, newMetadata(1, "a file", small), content(1, small))
	for range 2 {
		wantEqual(t, "packs", walkPacks(t, s), want)
		for i, p := range want {
			wantBlob(t, s, p.Ref, content(i, int(p.Metadata.Size)))
		}
		blobs := visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })
		wantEqual(t, "blobs that are no packs", len(blobs), 1)
		s.reopen()
	}
	// The same bytes once more are another blob.
	twin := storePack(t, s, want[1].Metadata, content(1, 1000))
	if twin == want[1].Ref {
		t.Fatal("a reference was given twice")
	}
	must(t, "remove", s.Remove(t.Context(), want[1].Ref))
	must(t, "remove again", s.Remove(t.Context(), want[1].Ref))
	_, err := s.Open(t.Context(), want[1].Ref)
	wantErr(t, "open what was removed", err, store.ErrNoBlob)
	wantBlob(t, s, twin, content(1, 1000))

	must(t, "remove a client's packs", s.RemovePacks(t.Context(), clientID(1)))
	must(t, "remove them again", s.RemovePacks(t.Context(), clientID(1)))
	for range 2 {
		wantEqual(t, "packs left", walkPacks(t, s), []store.StoredPack{want[0], want[2]})
		s.reopen()
	}
	meta := packMetadata(1, 9, 100)
	ref := storePack(t, s, meta, content(9, 100))
	wantBlob(t, s, ref, content(9, 100))

	stop := errors.New("stop")
	wantErr(t, "stopped walk", s.WalkPacks(t.Context(), func(store.StoredPack) error { return stop }), stop)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "cancelled walk", s.WalkPacks(ctx, func(store.StoredPack) error { return nil }), context.Canceled)
}

// What is not committed, or not whole, leaves nothing.
func testPackDiscarded(t *testing.T, s *reopener) {
	w, err := s.CreatePack(t.Context(), packMetadata(1, 1, 100))
	must(t, "create", err)
	_, err = w.Write(content(1, 100))
	must(t, "write", err)
	must(t, "discard", w.Discard())

	for _, size := range []int{99, 101} {
		w, err = s.CreatePack(t.Context(), packMetadata(1, 1, 100))
		must(t, "create", err)
		_, err = w.Write(content(1, size))
		must(t, "write", err)
		if _, err := w.Commit(t.Context()); err == nil {
			t.Errorf("a pack of %d bytes was taken for one of 100", size)
		}
	}
	w, err = s.CreatePack(t.Context(), packMetadata(1, 1, 100))
	must(t, "create", err)
	_, err = w.Write(content(1, 100))
	must(t, "write", err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Commit(ctx)
	wantErr(t, "cancelled commit", err, context.Canceled)
	_, err = s.CreatePack(ctx, packMetadata(1, 1, 100))
	wantErr(t, "cancelled", err, context.Canceled)
	for range 2 {
		wantEqual(t, "packs", len(walkPacks(t, s)), 0)
		s.reopen()
	}
}

// A pack that is read can be read to its end.
func testRemoveOpenPack(t *testing.T, s *reopener) {
	ref := storePack(t, s, packMetadata(1, 1, 5000), content(1, 5000))
	b, err := s.Open(t.Context(), ref)
	must(t, "open", err)
	must(t, "remove", s.Remove(t.Context(), ref))
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	must(t, "read", err)
	if !bytes.Equal(got, content(1, 5000)) {
		t.Error("the pack changed while it was open")
	}
	must(t, "close", b.Close())
}

func testGeneration(t *testing.T, s *reopener) {
	for _, mark := range []string{"", "one", "two"} {
		if mark != "" {
			must(t, "set", s.SetGeneration(t.Context(), mark))
		}
		for range 2 {
			got, err := s.Generation(t.Context())
			must(t, "generation", err)
			wantEqual(t, "generation", got, mark)
			s.reopen()
		}
	}
}

// What a snapshot needs lies with its manifest, however much that is.
func testSnapshotMetadata(t *testing.T, s *reopener) {
	var want []store.StoredBlob
	for i, packs := range []int{0, 10, 63 << 10, 70 << 10, 1400 << 10} {
		for _, size := range []int{small, large} {
			meta := newMetadata(i, "s/0123", int64(size))
			meta.Snapshot = &store.SnapshotMetadata{Run: runID(i), Head: content(i, 100), Packs: content(i, packs), PackBytes: 1 << 40, Mend: i == 1}
			if packs == 0 {
				meta.Snapshot.Packs = nil
			}
			one := store.StoredBlob{Ref: keep(t, s, meta, content(i, size)), Metadata: meta}
			if i%2 == 0 {
				one.Confirmed = &store.Confirmation{Number: uint32(i), Created: noon}
				must(t, "confirm", s.Confirm(t.Context(), one.Ref, *one.Confirmed))
			}
			wantBlob(t, s, one.Ref, content(i, size))
			want = append(want, one)
		}
	}
	byUpload(want)
	for range 2 {
		wantEqual(t, "walk", visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) }), want)
		s.reopen()
	}
	for _, one := range want {
		must(t, "remove", s.Remove(t.Context(), one.Ref))
	}
	wantEqual(t, "left", len(visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })), 0)
}
