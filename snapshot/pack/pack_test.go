package pack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"

	"filippo.io/age"

	"coffer/snapshot"
	"coffer/snapshot/pack"
)

const (
	classic = "AGE-SECRET-KEY-1GUSWZDPV25RFWNKPUT4FTPZV0N227KRQXK5QJW5PT445PG3DN0XS47032L"
	hybrid  = "AGE-SECRET-KEY-PQ-1JY82KL6JSG5RKQZK4TL9DM55LWNQW9XQV50U8Z5ZQK7V90Z6VU3SDURN3F"
)

// A world is an owner, with packs that are kept in memory.
type world struct {
	keys  *snapshot.Keys
	id    age.Identity
	to    age.Recipient
	packs map[snapshot.PackID][]byte
	mu    sync.Mutex
	fetch struct{ requests, bytes int } // guarded by mu
}

func newWorld(t testing.TB, identity string) *world {
	t.Helper()
	id, to, err := snapshot.ParseIdentity(identity)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := snapshot.DeriveKeys(identity, snapshot.MachineID{})
	if err != nil {
		t.Fatal(err)
	}
	return &world{keys: keys, id: id, to: to, packs: make(map[snapshot.PackID][]byte)}
}

// Fetch is what a server does with ReadPack.
func (w *world) Fetch(_ context.Context, id snapshot.PackID, offset int64, length int) ([]byte, error) {
	sealed, found := w.packs[id]
	if !found {
		return nil, errors.New("no such pack")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetch.requests++
	sealed = sealed[min(offset, int64(len(sealed))):]
	sealed = sealed[:min(length, len(sealed))]
	w.fetch.bytes += len(sealed)
	return bytes.Clone(sealed), nil
}

func (w *world) reader(t testing.TB) *pack.Reader {
	t.Helper()
	r, err := pack.NewReader(w.Fetch, w.keys, w.id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put packs chunks, and returns their places.
func (w *world) put(t testing.TB, chunks ...[]byte) []snapshot.Place {
	t.Helper()
	compressor, err := pack.NewCompressor(1)
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	out, err := pack.NewWriter(&sealed, w.to)
	if err != nil {
		t.Fatal(err)
	}
	var places []snapshot.Place
	for _, chunk := range chunks {
		place, err := out.Add(w.keys.ChunkID(snapshot.Data, chunk), len(chunk), compressor.Compress(nil, chunk))
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, place)
	}
	id, size, err := out.Close()
	if err != nil || size != int64(sealed.Len()) {
		t.Fatalf("%d of %d bytes: %v", size, sealed.Len(), err)
	}
	if err := pack.Verify(bytes.NewReader(sealed.Bytes()), id); err != nil {
		t.Fatal(err)
	}
	w.packs[id] = sealed.Bytes()
	for i := range places {
		places[i].Pack = id
	}
	return places
}

// someChunks are random and compressible ones, of sizes around the edges.
func someChunks() [][]byte {
	r := rand.NewChaCha8([32]byte{7})
	var chunks [][]byte
	for _, size := range []int{1, 2, 255, 256, 257, 65_535, 65_536, 65_792, 131_072, 131_073, 1 << 20, 3<<20 + 5} {
		random := make([]byte, size)
		r.Read(random)
		chunks = append(chunks, random, bytes.Repeat([]byte("coffer "), size/7+1)[:size])
	}
	return append(chunks, make([]byte, snapshot.MaxChunk))
}

func TestChunksComeBack(t *testing.T) {
	for _, identity := range []string{classic, hybrid} {
		w := newWorld(t, identity)
		chunks := someChunks()
		places := w.put(t, chunks...)
		r := w.reader(t)
		for i := range places {
			got, err := r.Chunk(t.Context(), snapshot.Data, places[i])
			if err != nil || !bytes.Equal(got, chunks[i]) {
				t.Fatalf("chunk %d: %d bytes, %v", i, len(got), err)
			}
		}
		seen := 0
		err := r.Chunks(t.Context(), snapshot.Data, places, func(i int, chunk []byte, err error) error {
			if err == nil && !bytes.Equal(chunk, chunks[i]) {
				return fmt.Errorf("chunk %d is another", i)
			}
			seen++
			return err
		})
		if err != nil || seen != len(chunks) {
			t.Fatalf("%d of %d chunks: %v", seen, len(chunks), err)
		}
		if _, err := r.Chunk(t.Context(), snapshot.Tree, places[0]); !errors.Is(err, pack.ErrDamaged) {
			t.Errorf("a chunk passed as one of another kind: %v", err)
		}
	}
}

func TestPackIsAnAgeFileOfZstdFrames(t *testing.T) {
	w := newWorld(t, classic)
	chunks := someChunks()
	places := w.put(t, chunks...)
	r, err := age.Decrypt(bytes.NewReader(w.packs[places[0].Pack]), w.id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(decompress(t, r))
	if err != nil || !bytes.Equal(got, bytes.Join(chunks, nil)) {
		t.Fatalf("%d bytes: %v", len(got), err)
	}
}

func TestPackSizesArePadmé(t *testing.T) {
	w := newWorld(t, classic)
	r := rand.NewChaCha8([32]byte{9})
	for _, size := range []int{1, 100, 300, 5000, 65_300, 65_400, 65_500, 65_536, 131_000, 700_001} {
		chunk := make([]byte, size)
		r.Read(chunk)
		place := w.put(t, chunk)[0]
		sealed := len(w.packs[place.Pack])
		exponent := bits.Len(uint(sealed)) - 1
		if low := exponent - bits.Len(uint(exponent)); sealed&(1<<low-1) != 0 {
			t.Errorf("a pack of %d bytes", sealed)
		}
	}
}
