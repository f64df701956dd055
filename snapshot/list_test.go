package snapshot_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"coffer/snapshot"
)

// lists keeps list pieces by their places.
type lists struct {
	keys   *snapshot.Keys
	pieces map[snapshot.ChunkID][]byte
	pack   snapshot.PackID
}

func (l *lists) emit(piece []byte) (snapshot.Place, error) {
	id := l.keys.ChunkID(snapshot.List, piece)
	l.pieces[id] = bytes.Clone(piece)
	return snapshot.Place{Length: uint32(len(piece)), Size: uint32(len(piece)), ID: id}, nil
}

func (l *lists) fetch(p snapshot.Place) ([]byte, snapshot.PackID, error) {
	piece := l.pieces[p.ID]
	if piece == nil {
		return nil, l.pack, errors.New("no such piece")
	}
	return piece, l.pack, nil
}

// contentPlace is the place of the i-th chunk, of 100 bytes. A list may be cut
// after each of them.
func contentPlace(i int) snapshot.Place {
	var id snapshot.ChunkID
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return snapshot.Place{Pack: snapshot.PackID{byte(i >> 12)}, Offset: uint32(i%4096) * 150, Length: 150, Size: 100, ID: id}
}

func TestLongContentGoesIntoLists(t *testing.T) {
	keys := testKeys(t)
	for _, test := range []struct{ chunks, depth int }{
		{0, 0}, {1, 0}, {1024, 0}, {1025, 1}, {20_000, 1}, {280_000, 2},
	} {
		l := &lists{keys: keys, pieces: make(map[snapshot.ChunkID][]byte), pack: snapshot.PackID{99}}
		w := snapshot.NewContentWriter(l.emit)
		for i := range test.chunks {
			if err := w.Add(contentPlace(i + 1<<12)); err != nil {
				t.Fatal(err)
			}
		}
		content, depth, err := w.Close()
		if err != nil || depth != test.depth || len(content) > snapshot.MaxPlaces {
			t.Fatalf("%d chunks: %d places, %d levels, %v", test.chunks, len(content), depth, err)
		}
		e := &snapshot.Entry{Content: content, Depth: depth}
		for _, from := range []uint64{0, 50, uint64(test.chunks) * 99, uint64(test.chunks) * 100} {
			next := int(from / 100)
			err := snapshot.WalkContent(e, from, l.fetch, func(p snapshot.Place, begin uint64) error {
				if want := contentPlace(next + 1<<12); p != want || begin != uint64(next)*100 {
					t.Fatalf("at %d: %+v, not %+v", begin, p, want)
				}
				next++
				return nil
			})
			if err != nil || next != test.chunks {
				t.Fatalf("%d of %d chunks from %d on: %v", next, test.chunks, from, err)
			}
		}
	}
}

func TestListsThatLieAreRefused(t *testing.T) {
	keys := testKeys(t)
	l := &lists{keys: keys, pieces: make(map[snapshot.ChunkID][]byte)}
	w := snapshot.NewContentWriter(l.emit)
	for i := range 2000 {
		if err := w.Add(contentPlace(i + 1<<12)); err != nil {
			t.Fatal(err)
		}
	}
	content, depth, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	visit := func(snapshot.Place, uint64) error { return nil }
	for what, change := range map[string]func(*snapshot.Entry){
		"covers less":  func(e *snapshot.Entry) { e.Content[0].Covers -= 100 },
		"covers more":  func(e *snapshot.Entry) { e.Content[0].Covers += 100 },
		"lies deeper":  func(e *snapshot.Entry) { e.Depth++ },
		"is no list":   func(e *snapshot.Entry) { l.pieces[e.Content[0].ID] = []byte("{}") },
		"is not there": func(e *snapshot.Entry) { e.Content[0].ID[0]++ },
	} {
		e := &snapshot.Entry{Content: append([]snapshot.Place(nil), content...), Depth: depth}
		change(e)
		if err := snapshot.WalkContent(e, 0, l.fetch, visit); err == nil {
			t.Errorf("a list that %s passed", what)
		}
	}
}
