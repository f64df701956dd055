package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"coffer/store"
)

func writeAt(t *testing.T, f store.File, b []byte, off int64) {
	t.Helper()
	n, err := f.WriteAt(b, off)
	must(t, "write", err)
	wantEqual(t, "bytes written", n, len(b))
}

func wantContent(t *testing.T, f store.File, want []byte) {
	t.Helper()
	got, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(want))+10))
	must(t, "read", err)
	if !bytes.Equal(got, want) {
		t.Errorf("a file of %d bytes is not the %d that were written", len(got), len(want))
	}
}

// A leftPart is what Parts visits.
type leftPart struct {
	part    store.Part
	header  []byte
	records [][]byte
}

func leftParts(t *testing.T, s store.Blobs) []leftPart {
	t.Helper()
	var found []leftPart
	must(t, "parts", s.Parts(t.Context(), func(p store.Part, header []byte, records [][]byte) error {
		found = append(found, leftPart{p, header, records})
		return nil
	}))
	slices.SortFunc(found, func(a, b leftPart) int { return cmp.Compare(a.part.ID().String(), b.part.ID().String()) })
	return found
}

func wantNoParts(t *testing.T, s *reopener) {
	t.Helper()
	s.reopen()
	wantEqual(t, "parts left", len(leftParts(t, s)), 0)
}

func testPart(t *testing.T, s *reopener) {
	for _, size := range []int{0, 1, small, store.SmallBlob, store.SmallBlob + 1, large, 20 << 20} {
		meta := newMetadata(1, fmt.Sprint("f", size), int64(size))
		p, err := s.NewPart(t.Context(), meta.Upload, []byte("header"))
		must(t, "new part", err)
		wantEqual(t, "id", p.ID(), meta.Upload)
		want := content(size, size)
		for off := 0; off < size; off += 1 << 20 {
			writeAt(t, p.Content(), want[off:min(off+1<<20, size)], int64(off))
			if off == 0 {
				must(t, "close", p.Close())
			}
		}
		writeAt(t, p.Content(), []byte("padding of the last packet"), int64(size))
		must(t, "log", p.Log([]byte("record")))
		ref, err := p.Commit(t.Context(), meta)
		must(t, "seal", err)
		wantBlob(t, s, ref, want)
		s.reopen()
		wantBlob(t, s, ref, want)
	}
	wantNoParts(t, s)
}

func testPartConcurrently(t *testing.T, s *reopener) {
	const chunk, chunks = 100_003, 64
	want := content(1, chunk*chunks)
	meta := newMetadata(1, "f", int64(len(want)))
	p, err := s.NewPart(t.Context(), meta.Upload, nil)
	must(t, "new part", err)
	var wg sync.WaitGroup
	for i := range chunks {
		wg.Go(func() {
			off := i * chunk
			if _, err := p.Content().WriteAt(want[off:off+chunk], int64(off)); err != nil {
				t.Errorf("write: %v", err)
			}
			got := make([]byte, chunk)
			if _, err := p.Content().ReadAt(got, int64(off)); err != nil || !bytes.Equal(got, want[off:off+chunk]) {
				t.Errorf("read back: %v", err)
			}
			if err := p.Log([]byte{byte(i)}); err != nil {
				t.Errorf("log: %v", err)
			}
			if i%10 == 0 {
				if err := p.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	wg.Wait()
	ref, err := p.Commit(t.Context(), meta)
	must(t, "seal", err)
	wantBlob(t, s, ref, want)
}

func testPartWaiting(t *testing.T, s *reopener) {
	want := content(1, large)
	meta := newMetadata(1, "f", large)
	p, err := s.NewPart(t.Context(), meta.Upload, nil)
	must(t, "new part", err)
	n, err := p.Waiting().ReadAt(make([]byte, 10), 0)
	if n != 0 || err != io.EOF {
		t.Errorf("read of nothing: got %d bytes, error %v", n, err)
	}
	writeAt(t, p.Waiting(), want[1000:], 5)
	writeAt(t, p.Content(), want[:1000], 0)
	late := make([]byte, large-1000)
	_, err = io.ReadFull(io.NewSectionReader(p.Waiting(), 5, large), late)
	must(t, "read", err)
	writeAt(t, p.Content(), late, 1000)
	wantContent(t, p.Content(), want)
	ref, err := p.Commit(t.Context(), meta)
	must(t, "seal", err)
	wantBlob(t, s, ref, want)
	wantNoParts(t, s)
}

func testPartTruncate(t *testing.T, s *reopener) {
	meta := newMetadata(1, "f", large)
	p, err := s.NewPart(t.Context(), meta.Upload, nil)
	must(t, "new part", err)
	must(t, "truncate nothing", p.Content().Truncate(0))
	writeAt(t, p.Content(), content(1, large), 0)
	must(t, "truncate", p.Content().Truncate(100))
	wantContent(t, p.Content(), content(1, large)[:100])
	must(t, "truncate to nothing", p.Content().Truncate(0))
	wantContent(t, p.Content(), nil)
	writeAt(t, p.Content(), content(2, large), 0)
	ref, err := p.Commit(t.Context(), meta)
	must(t, "seal", err)
	wantBlob(t, s, ref, content(2, large))
}

func testPartDiscard(t *testing.T, s *reopener) {
	for i := range 4 {
		p, err := s.NewPart(t.Context(), store.UploadID{byte(i)}, []byte("h"))
		must(t, "new part", err)
		if i > 0 {
			writeAt(t, p.Content(), content(1, large), 0)
		}
		if i > 1 {
			writeAt(t, p.Waiting(), content(1, small), 0)
		}
		if i > 2 {
			must(t, "close", p.Close())
		}
		must(t, "discard", p.Discard())
	}
	wantNoParts(t, s)
}

func testPartTooShort(t *testing.T, s *reopener) {
	for _, size := range []int{small, large} {
		meta := newMetadata(1, "f", int64(size))
		p, err := s.NewPart(t.Context(), meta.Upload, nil)
		must(t, "new part", err)
		writeAt(t, p.Content(), content(1, size-1), 0)
		if _, err := p.Commit(t.Context(), meta); err == nil {
			t.Error("a part was sealed that lacks a byte")
		}
		// It stays, and can be mended.
		writeAt(t, p.Content(), content(1, size), 0)
		ref, err := p.Commit(t.Context(), meta)
		must(t, "seal", err)
		wantBlob(t, s, ref, content(1, size))
	}
	blobs := visited(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })
	wantEqual(t, "blobs", len(blobs), 2)
}

func testPartsSurvive(t *testing.T, s *reopener) {
	type made struct {
		header  []byte
		records [][]byte
		content []byte
		waiting []byte
	}
	want := []made{
		{header: []byte("first"), records: [][]byte{{1}, {}, bytes.Repeat([]byte{7}, 255)}, content: content(1, large)},
		{header: content(2, 2000), waiting: content(3, small)},
		{header: []byte{}, records: [][]byte{[]byte("only a record")}},
		{header: []byte("both"), records: make([][]byte, 3000), content: content(4, small), waiting: content(5, large)},
	}
	for i := range want[3].records {
		want[3].records[i] = fmt.Append(nil, "record ", i)
	}
	for i, m := range want {
		p, err := s.NewPart(t.Context(), store.UploadID{byte(i + 1)}, m.header)
		must(t, "new part", err)
		for _, r := range m.records {
			must(t, "log", p.Log(r))
		}
		if m.content != nil {
			writeAt(t, p.Content(), m.content, 0)
		}
		if m.waiting != nil {
			writeAt(t, p.Waiting(), m.waiting, 0)
		}
		if i%2 == 0 {
			must(t, "close", p.Close())
		}
		if err := p.Log(make([]byte, 256)); err == nil {
			t.Error("a record of 256 bytes was logged")
		}
	}
	for round := range 2 {
		s.reopen()
		left := leftParts(t, s)
		wantEqual(t, "parts", len(left), len(want))
		for i, l := range left {
			wantEqual(t, "id", l.part.ID(), store.UploadID{byte(i + 1)})
			if !bytes.Equal(l.header, want[i].header) {
				t.Errorf("header of part %d is %q", i, l.header)
			}
			if !slices.EqualFunc(l.records, want[i].records, bytes.Equal) {
				t.Errorf("part %d has %d records, not the %d that were logged", i, len(l.records), len(want[i].records))
			}
			wantContent(t, l.part.Content(), want[i].content)
			wantContent(t, l.part.Waiting(), want[i].waiting)
			more := fmt.Append(nil, "round ", round)
			must(t, "log", l.part.Log(more))
			want[i].records = append(want[i].records, more)
			must(t, "close", l.part.Close())
		}
	}
	s.reopen()
	left := leftParts(t, s)
	meta := newMetadata(1, "resumed", large)
	ref, err := left[0].part.Commit(t.Context(), meta)
	must(t, "seal", err)
	wantBlob(t, s, ref, want[0].content)
	for _, l := range left[1:] {
		must(t, "discard", l.part.Discard())
	}
	wantNoParts(t, s)
}

// Parts visits what an earlier run left, not what is being written.
func testPartsInUse(t *testing.T, s *reopener) {
	fresh, err := s.NewPart(t.Context(), store.UploadID{1}, []byte("h"))
	must(t, "new part", err)
	writeAt(t, fresh.Content(), []byte("x"), 0)
	wantEqual(t, "parts of this run", len(leftParts(t, s)), 0)
	s.reopen()

	stop := errors.New("stop")
	err = s.Parts(t.Context(), func(p store.Part, _ []byte, _ [][]byte) error {
		return errors.Join(stop, p.Close())
	})
	wantErr(t, "stopped visit", err, stop)
	s.reopen()
	left := leftParts(t, s)
	wantEqual(t, "parts", len(left), 1)
	wantEqual(t, "parts a second time", len(leftParts(t, s)), 0)
	must(t, "discard", left[0].part.Discard())
	wantNoParts(t, s)
}
