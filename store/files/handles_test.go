package files

import (
	"bytes"
	"fmt"
	"testing"

	"coffer/store"
)

// However many uploads are unfinished, so many files are open and no more, and
// each upload goes on where it was.
func TestUnfinishedUploadsShareHandles(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var parts []store.Part
	for n := range 900 { // of two files each
		p, err := s.NewPart(t.Context(), store.UploadID{byte(n), byte(n >> 8), 1}, []byte("header"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	for round := range 2 {
		for n, p := range parts {
			if _, err := p.Content().WriteAt(fmt.Appendf(nil, "%04d", n), int64(4*round)); err != nil {
				t.Fatal(err)
			}
			if open := len(s.handles.open); open > maxHandles {
				t.Fatalf("%d files are open", open)
			}
		}
	}
	for n, p := range parts {
		got := make([]byte, 8)
		if _, err := p.Content().ReadAt(got, 0); err != nil || !bytes.Equal(got, fmt.Appendf(nil, "%04d%04d", n, n)) {
			t.Fatalf("upload %d: %q, %v", n, got, err)
		}
		if err := p.Discard(); err != nil {
			t.Fatal(err)
		}
	}
	if open := len(s.handles.open); open != 0 {
		t.Errorf("%d files are still counted as open", open)
	}
}
