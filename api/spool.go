package api

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sync/semaphore"

	"coffer/internal/problem"
	"coffer/protocol"
)

// spoolMemory bounds what all spools together keep in memory, in bytes.
const spoolMemory = 64 << 20

// A spool takes in the content of a packet of which it is not yet known where
// it goes: in memory, as long as there is some to spare, the rest in a file.
type spool struct {
	// static after construction
	dir    string
	limit  int64 // most bytes
	pieces *piecePool
	memory *semaphore.Weighted
	room   *gate  // of all spools
	owner  string // whose share of it this takes

	size  int64
	taken int64    // of room
	kept  []*piece // the beginning
	used  int      // bytes of the last of kept
	file  *os.File // what follows; nil while there is nothing
	spilt int64    // bytes of file
}

func (g *Gateway) newSpool(owner protocol.ClientID) *spool {
	return &spool{dir: g.cfg.TempDir, limit: g.cfg.MaxPacket, pieces: g.pieces, memory: g.spools,
		room: g.spooled, owner: spoolKey(owner), used: pieceSize}
}

// Write takes in the next bytes. Over the limit it fails with a problem.
func (s *spool) Write(p []byte) (n int, err error) {
	if s.size+int64(len(p)) > s.limit {
		return 0, packetTooLarge(s.limit)
	}
	if s.room.enter(s.owner, int64(len(p))) != notFull {
		return 0, &problem.Problem{Kind: problem.Unavailable, RetryAfter: busyRetry,
			Detail: "the gateway holds too much already; try again, or give all other fields before encrypted_data, so that it has to hold nothing"}
	}
	s.taken += int64(len(p))
	for len(p) > 0 && s.memoryLeft() {
		m := copy(s.kept[len(s.kept)-1][s.used:], p)
		n, p = n+m, p[m:]
		s.used += m
	}
	if len(p) > 0 {
		var m int
		m, err = s.spill(p)
		n += m
	}
	s.size += int64(n)
	return n, err
}

// memoryLeft reports whether there is room in memory, and gets some more if need
// be.
func (s *spool) memoryLeft() bool {
	switch {
	case s.file != nil:
		return false
	case s.used < pieceSize:
		return true
	case !s.memory.TryAcquire(pieceSize):
		return false
	}
	s.kept, s.used = append(s.kept, s.pieces.get()), 0
	return true
}

func (s *spool) spill(p []byte) (n int, err error) {
	if s.file == nil {
		s.file, err = os.CreateTemp(s.dir, "coffer-gateway-*")
	}
	if err == nil {
		n, err = s.file.Write(p)
		s.spilt += int64(n)
	}
	if err != nil {
		return n, &problem.Problem{Kind: problem.Internal, Detail: "the gateway has no room for the packet", Cause: err}
	}
	return n, nil
}

// WriteTo writes all that was taken in to w.
func (s *spool) WriteTo(w io.Writer) (int64, error) {
	var parts []io.Reader
	for i, piece := range s.kept {
		b := piece[:]
		if i == len(s.kept)-1 {
			b = b[:s.used]
		}
		parts = append(parts, bytes.NewReader(b))
	}
	if s.file != nil {
		parts = append(parts, io.NewSectionReader(s.file, 0, s.spilt))
	}
	return io.Copy(w, io.MultiReader(parts...))
}

// Close drops what was taken in.
func (s *spool) Close() error {
	for _, piece := range s.kept {
		s.pieces.put(piece)
		s.memory.Release(pieceSize)
	}
	s.kept = nil
	s.room.leave(s.owner, s.taken)
	s.taken = 0
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
