package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"coffer/store"
)

// content is size bytes that no medium can make smaller.
func content(seed, size int) []byte {
	b := make([]byte, size)
	key := [32]byte{byte(seed), byte(seed >> 8)}
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// small and large are on either side of what Put takes.
const (
	small = 4 << 10
	large = 3*store.SmallBlob + 17
)

// keep stores content as a blob, by whichever way it has to go.
func keep(t *testing.T, s store.Blobs, meta store.Metadata, content []byte) store.BlobRef {
	t.Helper()
	if len(content) <= store.SmallBlob {
		ref, err := s.Put(t.Context(), meta, content)
		must(t, "put", err)
		return ref
	}
	p, err := s.NewPart(t.Context(), meta.Upload, nil)
	must(t, "new part", err)
	_, err = p.Content().WriteAt(content, 0)
	must(t, "write", err)
	ref, err := p.Commit(t.Context(), meta)
	must(t, "seal", err)
	return ref
}

func wantBlob(t *testing.T, s store.Blobs, ref store.BlobRef, want []byte) {
	t.Helper()
	b, err := s.Open(t.Context(), ref)
	if err != nil {
		t.Errorf("open blob: %v", err)
		return
	}
	defer b.Close()
	if b.Size() != int64(len(want)) {
		t.Errorf("blob has %d bytes, want %d", b.Size(), len(want))
	}
	got, err := io.ReadAll(io.NewSectionReader(b, 0, int64(len(want))+10))
	if err != nil {
		t.Errorf("read blob: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Error("blob is not what was stored")
	}
}

// visited collects what a visit of blobs finds, in the order of upload ids.
func visited(t *testing.T, visit func(func(store.StoredBlob) error) error) []store.StoredBlob {
	t.Helper()
	var found []store.StoredBlob
	must(t, "visit", visit(func(b store.StoredBlob) error {
		found = append(found, b)
		return nil
	}))
	return byUpload(found)
}

func byUpload(blobs []store.StoredBlob) []store.StoredBlob {
	slices.SortFunc(blobs, func(a, b store.StoredBlob) int {
		return cmp.Compare(a.Metadata.Upload.String(), b.Metadata.Upload.String())
	})
	return blobs
}

func testPut(t *testing.T, s *reopener) {
	refs := make(map[store.BlobRef][]byte)
	for i, size := range []int{0, 1, 16, 63, 64, 65, small, store.SmallBlob} {
		b := content(i, size)
		refs[keep(t, s, newMetadata(1, "f", int64(size)), b)] = b
	}
	for range 2 {
		for ref, want := range refs {
			wantBlob(t, s, ref, want)
		}
		s.reopen()
	}
	ref := keep(t, s, newMetadata(2, "after", small), content(99, small))
	if _, taken := refs[ref]; taken {
		t.Error("a reference was given twice")
	}
	wantBlob(t, s, ref, content(99, small))
	for ref, want := range refs {
		wantBlob(t, s, ref, want)
	}
}

func testPutKeepsNothing(t *testing.T, s *reopener) {
	b := content(1, small)
	ref, err := s.Put(t.Context(), newMetadata(1, "f", small), b)
	must(t, "put", err)
	clear(b)
	wantBlob(t, s, ref, content(1, small))
}

func testPutConcurrently(t *testing.T, s *reopener) {
	const workers, each = 16, 25
	var mu sync.Mutex
	refs := make(map[store.BlobRef]int)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				seed := w*each + i
				ref, err := s.Put(t.Context(), newMetadata(w, fmt.Sprint(i), int64(seed)), content(seed, seed))
				if err != nil {
					t.Errorf("put: %v", err)
					return
				}
				wantBlob(t, s, ref, content(seed, seed))
				if err := s.Confirm(t.Context(), ref, store.Confirmation{Number: 1, Created: noon}); err != nil {
					t.Errorf("confirm: %v", err)
				}
				mu.Lock()
				refs[ref] = seed
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	wantEqual(t, "references", len(refs), workers*each)
	s.reopen()
	for ref, seed := range refs {
		wantBlob(t, s, ref, content(seed, seed))
	}
}

func testPutTooMuch(t *testing.T, s *reopener) {
	const size = store.SmallBlob + 1
	if _, err := s.Put(t.Context(), newMetadata(1, "f", size), content(1, size)); err == nil {
		t.Error("Put took more than SmallBlob bytes")
	}
	if _, err := s.Put(t.Context(), newMetadata(1, "f", 10), content(1, 11)); err == nil {
		t.Error("Put took metadata with another size than the content's")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Put(ctx, newMetadata(1, "f", 10), content(1, 10))
	wantErr(t, "cancelled put", err, context.Canceled)
	wantEqual(t, "blobs", len(visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })), 0)
}

func testNoBlob(t *testing.T, s *reopener) {
	keep(t, s, newMetadata(1, "f", small), content(1, small))
	keep(t, s, newMetadata(1, "g", large), content(1, large))
	for _, ref := range []store.BlobRef{
		"", ".", "..", "/", "nonsense", "../../etc/passwd", "/etc/passwd", "packs", "packs/00000001.pack",
		"packs/00000001.pack@", "packs/00000001.pack@-1", "packs/00000001.pack@7", "packs/00000001.pack@99999999999999999999",
		"snapshots", "snapshots/00000000000000000000000000000000/client", "snapshots/../packs/00000001.pack", "snapshots/generation",
		"packs/99999999.pack@64", "packs/../packs/00000001.pack@64", "00/", "00/..", "00/00000000000000000000000000000000",
		"00/00000000000000000000000000000000.json", "00\\x", "a\x00b", "\xff",
	} {
		_, err := s.Open(t.Context(), ref)
		wantErr(t, fmt.Sprintf("open %q", ref), err, store.ErrNoBlob)
		wantErr(t, fmt.Sprintf("confirm %q", ref), s.Confirm(t.Context(), ref, store.Confirmation{Number: 1}), store.ErrNoBlob)
		must(t, fmt.Sprintf("remove %q", ref), s.Remove(t.Context(), ref))
	}
}

func testRemoveBlob(t *testing.T, s *reopener) {
	for _, size := range []int{small, store.SmallBlob, large} {
		gone := keep(t, s, newMetadata(1, "gone", int64(size)), content(1, size))
		kept := keep(t, s, newMetadata(1, "kept", int64(size)), content(2, size))
		for range 3 {
			must(t, "remove", s.Remove(t.Context(), gone))
			_, err := s.Open(t.Context(), gone)
			wantErr(t, "open", err, store.ErrNoBlob)
			wantErr(t, "confirm", s.Confirm(t.Context(), gone, store.Confirmation{Number: 1}), store.ErrNoBlob)
			wantBlob(t, s, kept, content(2, size))
			s.reopen()
		}
	}
	left := visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })
	wantEqual(t, "blobs left", len(left), 3)
}

func testRemoveOpen(t *testing.T, s *reopener) {
	for _, size := range []int{store.SmallBlob, large} {
		ref := keep(t, s, newMetadata(1, "f", int64(size)), content(1, size))
		b, err := s.Open(t.Context(), ref)
		must(t, "open", err)
		head := make([]byte, 100)
		_, err = b.ReadAt(head, 0)
		must(t, "read", err)
		must(t, "remove", s.Remove(t.Context(), ref))
		rest, err := io.ReadAll(io.NewSectionReader(b, 100, int64(size)))
		must(t, "read the rest", err)
		if !bytes.Equal(append(head, rest...), content(1, size)) {
			t.Error("the blob changed while it was open")
		}
		must(t, "close", b.Close())
	}
}

// What is left between removed blobs stays readable.
func testRemoveMost(t *testing.T, s *reopener) {
	const blobs, size = 400, 20_000
	refs := make([]store.BlobRef, blobs)
	var wg sync.WaitGroup
	for i := range refs {
		wg.Go(func() {
			var err error
			if refs[i], err = s.Put(t.Context(), newMetadata(1, fmt.Sprint(i), size), content(i, size)); err != nil {
				t.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	for i, ref := range refs {
		if i%50 != 0 {
			wg.Go(func() {
				if err := s.Remove(t.Context(), ref); err != nil {
					t.Errorf("remove: %v", err)
				}
			})
		}
	}
	wg.Wait()
	for range 2 {
		for i := 0; i < blobs; i += 50 {
			wantBlob(t, s, refs[i], content(i, size))
		}
		left := visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })
		wantEqual(t, "blobs left", len(left), blobs/50)
		s.reopen()
	}
}

func testConfirm(t *testing.T, s *reopener) {
	marks := []store.Confirmation{
		{Number: 1, Verified: true, Created: noon},
		{Number: 4294967295, Verified: false, Created: noon.Add(time.Nanosecond)},
		{Number: 3, Verified: true},
	}
	var want []store.StoredBlob
	for i, mark := range marks {
		for _, size := range []int{small, large} {
			meta := newMetadata(i, "f", int64(size))
			ref := keep(t, s, meta, content(i, size))
			must(t, "confirm", s.Confirm(t.Context(), ref, store.Confirmation{Number: 77, Verified: !mark.Verified}))
			must(t, "confirm again", s.Confirm(t.Context(), ref, mark))
			wantBlob(t, s, ref, content(i, size))
			want = append(want, store.StoredBlob{Ref: ref, Metadata: meta, Confirmed: &mark})
		}
	}
	byUpload(want)
	for range 2 {
		wantEqual(t, "walk", visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) }), want)
		s.reopen()
	}
}

func testPending(t *testing.T, s *reopener) {
	var want []store.StoredBlob
	for i := range 4 {
		for _, size := range []int{small, large} {
			meta := newMetadata(i, fmt.Sprint("file ", i), int64(size))
			meta.ByID = i == 3
			meta.Received = noon.Add(time.Duration(i) * time.Hour)
			ref := keep(t, s, meta, content(i, size))
			switch i {
			case 1:
				must(t, "confirm", s.Confirm(t.Context(), ref, store.Confirmation{Number: 1, Created: noon}))
			case 2:
				must(t, "remove", s.Remove(t.Context(), ref))
			default:
				want = append(want, store.StoredBlob{Ref: ref, Metadata: meta})
			}
		}
	}
	pending := func(since time.Time) []store.StoredBlob {
		return visited(t, func(v func(store.StoredBlob) error) error { return s.Pending(t.Context(), since, v) })
	}
	late := byUpload(slices.Clone(want[2:]))
	byUpload(want)
	for range 2 {
		wantEqual(t, "pending", pending(time.Time{}), want)
		wantEqual(t, "pending since", pending(noon.Add(time.Hour)), late)
		wantEqual(t, "pending since the last", pending(noon.Add(3*time.Hour)), nil)
		s.reopen()
	}
	must(t, "confirm", s.Confirm(t.Context(), want[0].Ref, store.Confirmation{Number: 1}))
	must(t, "remove", s.Remove(t.Context(), want[1].Ref))
	for range 2 {
		wantEqual(t, "pending later", pending(time.Time{}), want[2:])
		s.reopen()
	}
	stop := errors.New("stop")
	err := s.Pending(t.Context(), time.Time{}, func(store.StoredBlob) error { return stop })
	wantErr(t, "stopped visit", err, stop)
}

func testWalk(t *testing.T, s *reopener) {
	var want []store.StoredBlob
	for i := range 40 {
		size := small
		if i%4 == 0 {
			size = large
		}
		meta := newMetadata(i, awkward[i%len(awkward)], int64(size))
		b := store.StoredBlob{Metadata: meta, Ref: keep(t, s, meta, content(i, size))}
		if i%3 == 0 {
			b.Confirmed = &store.Confirmation{Number: uint32(i), Created: noon}
			must(t, "confirm", s.Confirm(t.Context(), b.Ref, *b.Confirmed))
		}
		want = append(want, b)
	}
	byUpload(want)
	for range 2 {
		wantEqual(t, "walk", visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) }), want)
		s.reopen()
	}
	stop := errors.New("stop")
	visits := 0
	err := s.Walk(t.Context(), func(store.StoredBlob) error { visits++; return stop })
	wantErr(t, "stopped walk", err, stop)
	wantEqual(t, "visits", visits, 1)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "cancelled walk", s.Walk(ctx, func(store.StoredBlob) error { return nil }), context.Canceled)
}

func testSpace(t *testing.T, s *reopener) {
	free, total, err := s.Space()
	must(t, "space", err)
	if total == 0 || free > total {
		t.Errorf("%d of %d bytes are free", free, total)
	}
	must(t, "check", s.Check(t.Context()))
	wantEqual(t, "blobs after a check", len(visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })), 0)
}
