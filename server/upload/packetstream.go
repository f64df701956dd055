package upload

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"coffer/store"
)

const (
	// maxStreams is the most packets that one client may have open.
	maxStreams = 256
	// keptStreams is how many that have ended are remembered.
	keptStreams = 1024
)

// A StreamID names an open packet. Its sender makes it, so that opening one can
// be repeated, and clients do not see each other's.
type StreamID struct {
	Client store.ClientID
	ID     [16]byte
}

// A packetStream is an open packet: one that comes in pieces, over any
// connections. Between two pieces nothing waits for its sender.
type packetStream struct {
	// Static after open.
	u    *Upload
	room int64 // most bytes

	kept    bool         // it has ended, and is remembered; guarded by the packetStreams' mu
	touched atomic.Int64 // when a piece last came, in nanoseconds since 1970

	mu       sync.Mutex // guards what follows; taken before the upload's own
	p        *packet    // nil for one that is there already, whose pieces are dropped, or has ended
	received int64
	ended    bool
	err      error // why it failed
}

// errGivenUp is no Refusal, which would end the upload.
var errGivenUp = errors.New("the packet was given up")

// take takes in what is new of a piece that begins at an offset in the packet.
func (s *packetStream) take(offset int64, piece []byte, b *lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.received - offset
	switch {
	case s.err != nil || s.ended:
		return s.err
	case known < 0:
		return errPieceMissing
	case known >= int64(len(piece)):
		return nil
	}
	s.touch()
	piece = piece[known:]
	if s.received+int64(len(piece)) > s.room {
		s.err = errNoRoom
		return s.err
	}
	s.received += int64(len(piece))
	if s.p == nil {
		return nil
	}
	s.err = s.u.take(s.p, piece, b.out[:])
	return s.err
}

// settle ends the packet if a piece of it failed.
func (s *packetStream) settle(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended || s.err == nil:
		return s.err
	case errors.Is(s.err, errNoRoom):
		s.giveUp(ctx, errNoRoom)
		return s.err
	}
	return s.finish(ctx, s.err)
}

// end ends the packet, which has size bytes. Ending it again is no error.
func (s *packetStream) end(ctx context.Context, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return s.err
	case size > s.received:
		return errPieceMissing
	case size < s.received:
		return errPieceBehind
	}
	return s.finish(ctx, nil)
}

// drop gives the packet up, unless it has ended.
func (s *packetStream) drop(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.giveUp(ctx, errForgotten)
	}
}

// giveUp ends the packet as if it had never begun to come. Later pieces are
// answered with why. The caller holds the lock.
func (s *packetStream) giveUp(ctx context.Context, why error) {
	if err := s.finish(ctx, errGivenUp); err != nil && !errors.Is(err, errGivenUp) {
		s.u.r.Log.Error("cannot go on with an upload after a packet was given up", "upload", s.u.id, "error", err)
	}
	s.err = why
}

// finish ends the packet. The caller holds the lock.
func (s *packetStream) finish(ctx context.Context, err error) error {
	s.ended, s.err = true, err
	if s.p != nil {
		_, s.err = s.u.end(ctx, s.p, err)
		s.p = nil
	}
	return s.err
}

func (s *packetStream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *packetStream) touch() { s.touched.Store(time.Now().UnixNano()) }

func (s *packetStream) idle(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, s.touched.Load()))
}

// packetStreams knows the open packets, and the last ones that have ended, so
// that a repeated request finds what it ended with.
type packetStreams struct {
	mu    sync.Mutex
	byID  map[StreamID]*packetStream
	count map[store.ClientID]int // that have not ended
	ended []StreamID
}

func newPacketStreams() *packetStreams {
	return &packetStreams{byID: make(map[StreamID]*packetStream), count: make(map[store.ClientID]int)}
}

// find returns the open packet, nil if there is none.
func (ss *packetStreams) find(id StreamID) *packetStream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byID[id]
}

// errOpened: a repeated request came while the first was being served.
var errOpened = errors.New("the packet is open already")

func (ss *packetStreams) add(id StreamID, s *packetStream) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case ss.byID[id] != nil:
		return errOpened
	case ss.count[id.Client] >= maxStreams:
		return refuse(TooMany, "too many packets are under way: finish or drop one first")
	}
	ss.byID[id] = s
	ss.count[id.Client]++
	return nil
}

// keep notes that a packet has ended.
func (ss *packetStreams) keep(id StreamID) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.byID[id]
	if s == nil || s.kept {
		return
	}
	s.kept = true
	less(ss.count, id.Client)
	ss.ended = append(ss.ended, id)
	if len(ss.ended) > keptStreams {
		delete(ss.byID, ss.ended[0])
		ss.ended = ss.ended[1:]
	}
}

// forget takes out a packet that was open until now.
func (ss *packetStreams) forget(id StreamID) *packetStream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.forgetLocked(id)
}

func (ss *packetStreams) forgetLocked(id StreamID) *packetStream {
	s := ss.byID[id]
	if s == nil || s.kept {
		return nil
	}
	delete(ss.byID, id)
	less(ss.count, id.Client)
	return s
}

// expire drops the packets whose sender has gone silent.
func (ss *packetStreams) expire(ctx context.Context, now time.Time, ttl time.Duration) {
	for _, s := range ss.silent(now, ttl) {
		s.drop(ctx)
	}
}

func (ss *packetStreams) silent(now time.Time, ttl time.Duration) (silent []*packetStream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for id, s := range ss.byID {
		if s.idle(now) > ttl && ss.forgetLocked(id) != nil {
			silent = append(silent, s)
		}
	}
	return silent
}

// IsOpen reports whether a packet in pieces is open, or was until recently.
func (r *Registry) IsOpen(id StreamID) bool { return r.streams.find(id) != nil }

// OpenPacket admits a packet that comes in pieces. Opening it again is no error.
func (r *Registry) OpenPacket(ctx context.Context, id StreamID, u *Upload, m Packet) error {
	p, err := u.begin(m)
	if err != nil {
		return err
	}
	s := &packetStream{u: u, p: p, room: m.Size}
	s.touch()
	if err = r.streams.add(id, s); err != nil {
		s.drop(ctx)
	}
	if errors.Is(err, errOpened) {
		return nil
	}
	return err
}

// Piece accepts the next size bytes of an open packet, from an offset in it;
// last says that the packet ends with them. It returns the packet's upload.
func (r *Registry) Piece(ctx context.Context, id StreamID, offset int64, last bool, content Source, size int64) (*Upload, error) {
	s := r.streams.find(id)
	if s == nil {
		return nil, errForgotten
	}
	defer func() {
		if s.over() {
			r.streams.keep(id)
		}
	}()
	err := r.buffers.each(content, size, func(b *lease, piece []byte) error {
		at := offset
		offset += int64(len(piece))
		return s.take(at, piece, b)
	})
	if failed := s.settle(ctx); failed != nil {
		return nil, failed
	}
	if err == nil && last {
		err = s.end(ctx, offset)
	}
	return s.u, err
}

// DropPacket gives an open packet up, as if none of it had come.
func (r *Registry) DropPacket(ctx context.Context, id StreamID) {
	if s := r.streams.forget(id); s != nil {
		s.drop(ctx)
	}
}
