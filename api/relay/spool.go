package relay

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sync/semaphore"

	"coffer/internal/fair"
	"coffer/internal/problem"
	"coffer/protocol"
)

// A Spool takes in content that cannot go to the core as it comes: in memory, as
// long as there is some to spare, the rest in a file.
type Spool struct {
	// static after construction
	dir    string
	limit  int64 // most bytes
	pieces *piecePool
	memory *semaphore.Weighted
	room   *fair.Gate // of all spools
	owner  string     // whose share of it this takes

	size  int64
	taken int64    // of room
	kept  []*piece // the beginning
	used  int      // bytes of the last of kept
	file  *os.File // what follows; nil while there is nothing
	spilt int64    // bytes of file
}

// Spool makes a spool of a client's, for at most limit bytes. Close must be
// called on it.
func (r *Relay) Spool(owner protocol.ClientID, limit int64) *Spool {
	return &Spool{dir: r.limits.TempDir, limit: limit, pieces: r.pieces, memory: r.memory,
		room: r.spooled, owner: string(owner[:]), used: pieceSize}
}

// Write takes in the next bytes. Over the limit it fails with a problem.
func (s *Spool) Write(p []byte) (n int, err error) {
	if s.size+int64(len(p)) > s.limit {
		return 0, TooLarge(s.limit)
	}
	if s.room.Enter(s.owner, int64(len(p))) != fair.NotFull {
		return 0, &problem.Problem{Kind: problem.Unavailable, RetryAfter: 2,
			Detail: "the gateway holds too much already; try again. A packet in JSON is not held if all other fields precede encrypted_data"}
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
func (s *Spool) memoryLeft() bool {
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

func (s *Spool) spill(p []byte) (n int, err error) {
	if s.file == nil {
		s.file, err = os.CreateTemp(s.dir, "coffer-gateway-*")
	}
	if err == nil {
		n, err = s.file.Write(p)
		s.spilt += int64(n)
	}
	if err != nil {
		return n, problem.New(problem.Internal, "the gateway has no room for the packet").Because(err)
	}
	return n, nil
}

// WriteTo writes all that was taken in to w.
func (s *Spool) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, s.Reader()) }

// Reader reads all that was taken in, from its beginning.
func (s *Spool) Reader() io.Reader {
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
	return io.MultiReader(parts...)
}

// Close drops what was taken in.
func (s *Spool) Close() error {
	for _, piece := range s.kept {
		s.pieces.put(piece)
		s.memory.Release(pieceSize)
	}
	s.kept = nil
	s.room.Leave(s.owner, s.taken)
	s.taken = 0
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
