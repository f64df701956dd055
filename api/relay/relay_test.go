package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/semaphore"

	"coffer/client"
	"coffer/internal/fair"
	"coffer/internal/problem"
	"coffer/protocol"
)

// What a spool takes in comes out again, wherever it was, and nothing stays
// behind.
func TestSpool(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 3*pieceSize/16+100)
	for memory, inFile := range map[int64]bool{0: true, pieceSize: true, 2*pieceSize + 1: true, 8 * pieceSize: false} {
		dir := t.TempDir()
		budget := semaphore.NewWeighted(memory)
		room := fair.NewGate(2*int64(len(content)), 2*int64(len(content)))
		s := &Spool{dir: dir, limit: int64(len(content)), pieces: newPiecePool(), memory: budget, room: room, owner: "a", used: pieceSize}
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
		if _, err := s.Write([]byte("x")); err == nil || problem.Of(err).Kind != problem.TooLarge {
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
		if room.Used() != 0 {
			t.Errorf("room was not given back: %d", room.Used())
		}
	}
}

func TestSpoolWithoutRoom(t *testing.T) {
	s := &Spool{dir: t.TempDir() + "/missing", limit: 10, pieces: newPiecePool(), memory: semaphore.NewWeighted(0), room: fair.NewGate(10, 10), used: pieceSize}
	if _, err := s.Write([]byte("x")); err == nil || problem.Of(err).Kind != problem.Internal {
		t.Errorf("no folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// All spools together hold no more than they may, and one owner's no more than
// its share.
func TestSpoolsShareTheirRoom(t *testing.T) {
	room, pieces, memory := fair.NewGate(10, 15), newPiecePool(), semaphore.NewWeighted(0)
	open := func(owner string) *Spool {
		return &Spool{dir: t.TempDir(), limit: 100, pieces: pieces, memory: memory, room: room, owner: owner, used: pieceSize}
	}
	full := func(s *Spool, n int) bool {
		_, err := s.Write(make([]byte, n))
		return err != nil && problem.Of(err).Kind == problem.Unavailable && problem.Of(err).RetryAfter > 0
	}
	a, again, b, c := open("a"), open("a"), open("b"), open("c")
	if full(a, 6) || !full(again, 5) || full(again, 4) || full(b, 5) || !full(c, 1) {
		t.Errorf("used %d", room.Used())
	}
	for _, s := range []*Spool{a, again, b} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if full(c, 10) || !full(c, 1) {
		t.Errorf("used %d", room.Used())
	}
	if err := c.Close(); err != nil || room.Used() != 0 {
		t.Errorf("used %d, %v", room.Used(), err)
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

// absent is a core that cannot be reached.
type absent struct{}

var errAbsent = errors.New("away")

func (absent) Idempotent(context.Context, func(*client.Conn) error) error {
	return errAbsent
}

func (absent) Once(context.Context, func(*client.Conn) error) error { return errAbsent }

// A packet that does not reach the core says so, whether it goes whole or in
// pieces, and leaves no memory behind.
func TestPacketWithoutCore(t *testing.T) {
	core := absent{}
	r := New(core, Limits{Packet: 4 * pieceSize, Spool: 8 * pieceSize})
	for _, size := range []int{0, 100, 3 * pieceSize} {
		for _, p := range []Packet{Named{Number: 1, Total: 1}, Identified{Number: 1}} {
			out := r.Packet(t.Context(), protocol.ClientID{1}, p, 4*pieceSize)
			_, err := out.Write(make([]byte, size))
			if err == nil {
				_, err = out.Finish()
			}
			if !errors.Is(err, errAbsent) {
				t.Errorf("%d bytes: %v", size, err)
			}
			if err := out.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if !r.chunks.memory.TryAcquire(chunkMemory) {
		t.Error("memory was not given back")
	}
}

func TestPacketTooLarge(t *testing.T) {
	r := New(absent{}, Limits{Packet: 10, Spool: 10})
	out := r.Packet(t.Context(), protocol.ClientID{1}, Identified{Number: 1}, 10)
	defer out.Close()
	if _, err := out.ReadFrom(bytes.NewReader(make([]byte, 11))); err == nil || problem.Of(err).Kind != problem.TooLarge {
		t.Errorf("%v", err)
	}
}
