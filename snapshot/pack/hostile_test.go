package pack_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"coffer/snapshot"
	"coffer/snapshot/pack"
)

// mediumChunks are 20 chunks of 100 KiB, which do not compress.
func mediumChunks() [][]byte {
	r := rand.NewChaCha8([32]byte{8})
	chunks := make([][]byte, 20)
	for i := range chunks {
		chunks[i] = make([]byte, 100<<10)
		r.Read(chunks[i])
	}
	return chunks
}

func TestReadingTakesFewRequests(t *testing.T) {
	w := newWorld(t, hybrid)
	first, second := w.put(t, mediumChunks()...), w.put(t, mediumChunks()...)
	r := w.reader(t)
	for _, test := range []struct {
		what     string
		places   []snapshot.Place
		requests int
		bytes    int
	}{
		{"far in a first pack", first[15:16], 2, 250_000},
		{"in a pack that is open", first[3:4], 1, 250_000},
		{"several in a row", first[4:9], 1, 700_000},
		{"two that are far apart", []snapshot.Place{first[0], first[19]}, 2, 450_000},
		{"near the start of another pack", second[0:1], 1, 250_000},
	} {
		w.fetch.requests, w.fetch.bytes = 0, 0
		err := r.Chunks(t.Context(), snapshot.Data, test.places, func(_ int, _ []byte, err error) error { return err })
		if err != nil || w.fetch.requests != test.requests || w.fetch.bytes > test.bytes {
			t.Errorf("%s: %d requests, %d bytes, %v", test.what, w.fetch.requests, w.fetch.bytes, err)
		}
	}
	third := w.put(t, mediumChunks()...)
	w.fetch.requests = 0
	if _, err := r.Chunk(t.Context(), snapshot.Data, third[19]); err != nil || w.fetch.requests != 2 {
		t.Errorf("header and range of another pack: %d requests, %v", w.fetch.requests, err)
	}
}

func TestPacksOfSeveralIdentities(t *testing.T) {
	short, long := newWorld(t, classic), newWorld(t, hybrid)
	a, b := short.put(t, mediumChunks()...), long.put(t, mediumChunks()...)
	r := short.reader(t)
	if _, err := r.Chunk(t.Context(), snapshot.Data, a[19]); err != nil {
		t.Fatal(err)
	}
	short.packs[b[0].Pack] = long.packs[b[0].Pack]
	for _, place := range []snapshot.Place{b[0], b[19]} {
		if _, err := r.Chunk(t.Context(), snapshot.Data, place); !errors.Is(err, pack.ErrWrongIdentity) {
			t.Errorf("%v", err)
		}
	}
}

// A server that alters, cuts, or swaps: what is damaged is named, the rest
// comes.
func TestDamageIsFound(t *testing.T) {
	w := newWorld(t, classic)
	chunks := mediumChunks()
	places, others := w.put(t, chunks...), w.put(t, chunks[10:]...)
	id := places[0].Pack
	whole := w.packs[id]
	count := func(places []snapshot.Place) (good int) {
		r := w.reader(t)
		for i := range places {
			chunk, err := r.Chunk(t.Context(), snapshot.Data, places[i])
			switch {
			case err == nil && bytes.Equal(chunk, chunks[i]):
				good++
			case !errors.Is(err, pack.ErrDamaged):
				t.Errorf("chunk %d: %v", i, err)
			}
		}
		return good
	}
	for _, test := range []struct {
		what string
		pack []byte
		good int
	}{
		{"nothing", whole, 20},
		{"a bit of the header", flipped(whole, 60), 0},
		{"a bit in the middle", flipped(whole, len(whole)/2), 18},
		{"its second half is missing", whole[:len(whole)/2], 9},
		{"all of it", nil, 0},
		{"another pack", w.packs[others[0].Pack], 0},
	} {
		w.packs[id] = test.pack
		if good := count(places); good < test.good-1 || good > test.good {
			t.Errorf("%s: %d chunks came back", test.what, good)
		}
		r := w.reader(t)
		together := 0
		err := r.Chunks(t.Context(), snapshot.Data, places, func(_ int, _ []byte, err error) error {
			if err == nil {
				together++
			}
			return nil
		})
		if err != nil || test.good == 0 && together > 0 {
			t.Errorf("%s: %d chunks came together, %v", test.what, together, err)
		}
	}
}

func flipped(pack []byte, at int) []byte {
	pack = bytes.Clone(pack)
	pack[at] ^= 1
	return pack
}

// A writer that lies about its frames, with the right keys.
func TestFramesWriteNoMoreThanAnnounced(t *testing.T) {
	w := newWorld(t, classic)
	enc, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	short := bytes.Clone(bomb)
	binary.LittleEndian.PutUint32(short[5:], 1000) // the content size in the header
	small := enc.EncodeAll(make([]byte, 500), nil)
	for what, frame := range map[string][]byte{
		"a bomb":                  bomb,
		"a bomb that denies it":   short,
		"two frames":              append(bytes.Clone(small), small...),
		"a skippable frame":       {0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0},
		"no frame":                []byte("plain"),
		"half a frame":            small[:len(small)/2],
		"a frame of another size": small,
	} {
		var sealed bytes.Buffer
		out, err := pack.NewWriter(&sealed, w.to)
		if err != nil {
			t.Fatal(err)
		}
		place, err := out.Add(snapshot.ChunkID{}, 1000, frame)
		if err != nil {
			t.Fatal(err)
		}
		if place.Pack, _, err = out.Close(); err != nil {
			t.Fatal(err)
		}
		w.packs[place.Pack] = sealed.Bytes()
		if _, err := w.reader(t).Chunk(t.Context(), snapshot.Data, place); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzReader holds the reader against packs and places of any form: it never
// panics, and never returns a chunk with another id.
func FuzzReader(f *testing.F) {
	w := newWorld(f, classic)
	places := w.put(f, []byte("coffer"), bytes.Repeat([]byte("long "), 30_000))
	whole := w.packs[places[0].Pack]
	for _, p := range places {
		f.Add(whole, p.Offset, p.Length, p.Size)
	}
	f.Add(whole[:300], uint32(0), uint32(1), uint32(1))
	f.Add(whole, uint32(1<<25), uint32(8<<20), uint32(8<<20))
	f.Fuzz(func(t *testing.T, sealed []byte, offset, length, size uint32) {
		var p snapshot.Place
		p.Offset, p.Length, p.Size = offset%snapshot.MaxPackContent, 1+length%snapshot.MaxFrame, 1+size%snapshot.MaxChunk
		p.ID = places[0].ID
		w.packs[p.Pack] = sealed
		chunk, err := w.reader(t).Chunk(t.Context(), snapshot.Data, p)
		if err == nil && string(chunk) != "coffer" {
			t.Errorf("a chunk of %d bytes passed", len(chunk))
		}
	})
}
