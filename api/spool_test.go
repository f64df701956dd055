package api

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/semaphore"
)

// What a spool takes in comes out again, wherever it was, and nothing stays
// behind.
func TestSpool(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 3*pieceSize/16+100)
	for memory, inFile := range map[int64]bool{0: true, pieceSize: true, 2*pieceSize + 1: true, 8 * pieceSize: false} {
		dir := t.TempDir()
		budget := semaphore.NewWeighted(memory)
		s := &spool{dir: dir, limit: int64(len(content)), pieces: newPiecePool(), memory: budget, used: pieceSize}
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
		if _, err := s.Write([]byte("x")); err == nil || asProblem(err).kind != kindTooLarge {
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
	}
}

func TestSpoolWithoutRoom(t *testing.T) {
	s := &spool{dir: t.TempDir() + "/missing", limit: 10, pieces: newPiecePool(), memory: semaphore.NewWeighted(0), used: pieceSize}
	if _, err := s.Write([]byte("x")); err == nil || asProblem(err).kind != kindInternal {
		t.Errorf("no folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
