package api

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/semaphore"

	"coffer/internal/problem"
)

// What a spool takes in comes out again, wherever it was, and nothing stays
// behind.
func TestSpool(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 3*pieceSize/16+100)
	for memory, inFile := range map[int64]bool{0: true, pieceSize: true, 2*pieceSize + 1: true, 8 * pieceSize: false} {
		dir := t.TempDir()
		budget := semaphore.NewWeighted(memory)
		room := newGate(2*int64(len(content)), 2*int64(len(content)))
		s := &spool{dir: dir, limit: int64(len(content)), pieces: newPiecePool(), memory: budget, room: room, owner: "a", used: pieceSize}
		if _, err := io.Copy(s, iotest.HalfReader(struct{ io.Reader }{bytes.NewReader(content)})); err != nil {
			t.Fatal(err)
		}
		if files, err := os.ReadDir(dir); err != nil || (len(files) > 0) != inFile {
			t.Errorf("memory for %d bytes: %d files, %v", memory, len(files), err)
		}
		for range 2 {
			var got bytes.Buffer
			if _, err := s.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), content) {
				t.Errorf("memory for %d bytes: %d came back, %v", memory, got.Len(), err)
			}
		}
		if _, err := s.Write([]byte("x")); err == nil || asProblem(err).Kind != problem.TooLarge {
			t.Errorf("over the limit: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("left behind: %d files, %v", len(files), err)
		}
		if !budget.TryAcquire(memory) {
			t.Error("memory was not given back")
		}
		if room.used != 0 || len(room.by) != 0 {
			t.Errorf("room was not given back: %d, %v", room.used, room.by)
		}
	}
}

func TestSpoolWithoutRoom(t *testing.T) {
	s := &spool{dir: t.TempDir() + "/missing", limit: 10, pieces: newPiecePool(), memory: semaphore.NewWeighted(0), room: newGate(10, 10), used: pieceSize}
	if _, err := s.Write([]byte("x")); err == nil || asProblem(err).Kind != problem.Internal {
		t.Errorf("no folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// All spools together hold no more than they may, and one owner's no more than
// its share.
func TestSpoolsShareTheirRoom(t *testing.T) {
	room, pieces, memory := newGate(10, 15), newPiecePool(), semaphore.NewWeighted(0)
	open := func(owner string) *spool {
		return &spool{dir: t.TempDir(), limit: 100, pieces: pieces, memory: memory, room: room, owner: owner, used: pieceSize}
	}
	full := func(s *spool, n int) bool {
		_, err := s.Write(make([]byte, n))
		return err != nil && asProblem(err).Kind == problem.Unavailable && asProblem(err).RetryAfter > 0
	}
	a, again, b, c := open("a"), open("a"), open("b"), open("c")
	if full(a, 6) || !full(again, 5) || full(again, 4) || full(b, 5) || !full(c, 1) {
		t.Errorf("used %d, %v", room.used, room.by)
	}
	for _, s := range []*spool{a, again, b} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if full(c, 10) || !full(c, 1) {
		t.Errorf("used %d, %v", room.used, room.by)
	}
	if err := c.Close(); err != nil || room.used != 0 {
		t.Errorf("used %d, %v", room.used, err)
	}
}

// A call whose body has brought little holds little, and without memory to
// spare its parts stay small.
func TestChunks(t *testing.T) {
	pool := newChunkPool(chunkGrowth*smallChunk + pieceSize)
	small := pool.get()
	small.bytes[0] = 7
	larger := pool.grow(small)
	if len(larger.bytes) != chunkGrowth*smallChunk || larger.bytes[0] != 7 {
		t.Errorf("%d bytes, %d", len(larger.bytes), larger.bytes[0])
	}
	if same := pool.grow(larger); len(same.bytes) != chunkGrowth*chunkGrowth*smallChunk {
		t.Errorf("%d bytes", len(same.bytes))
	} else if larger = pool.grow(same); larger != same {
		t.Error("there was no memory for more")
	}
	pool.put(larger)
	if !pool.memory.TryAcquire(chunkGrowth*smallChunk + pieceSize) {
		t.Error("memory was not given back")
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64",
		"2001:db8:0:1::1": "2001:db8:0:1::/64", "@": "@"} {
		if got := network(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
