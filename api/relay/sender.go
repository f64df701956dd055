package relay

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"time"

	"coffer/client"
	"coffer/internal/problem"
	"coffer/protocol"
)

const (
	// pieceSize is how much of a packet goes to the core at once, at most, in bytes.
	pieceSize = 512 << 10
	// A piece waits to be full for no longer than this: the core gives up
	// packets whose pieces stay out for two minutes.
	pieceAge = 10 * time.Second
	// maxInflight is how many pieces of a packet are under way at most: with two,
	// the core has the next at hand while it answers for one.
	maxInflight = 2
	// dropTimeout is how long giving up a packet may take.
	dropTimeout = 5 * time.Second
)

// A piece is a part of a packet that a spool holds.
type piece [pieceSize]byte

// piecePool lends pieces to spools.
type piecePool struct{ pool sync.Pool }

func newPiecePool() *piecePool {
	return &piecePool{sync.Pool{New: func() any { return new(piece) }}}
}

func (p *piecePool) get() *piece  { return p.pool.Get().(*piece) }
func (p *piecePool) put(b *piece) { p.pool.Put(b) }

// A Sender passes a packet on to the core while it comes in: a small one in
// one request, a larger one in pieces, the next of which fills while others are
// under way. When none is, it holds no connection, so a caller may be as slow
// as it likes. It is used by one goroutine.
type Sender struct {
	ctx    context.Context // the request's, for which alone this lives
	core   Core
	chunks *chunkPool
	client protocol.ClientID
	packet Packet
	limit  int64 // most bytes of content

	transfer protocol.TransferID
	pipeline *pipeline // nil until the packet is opened
	done     bool
	buf      *chunk
	used     int       // bytes of buf
	began    time.Time // when the first of them came
	sent     int64     // bytes that are with the core or under way
}

// Packet makes a sender for a packet of a client's, of at most limit bytes. Close
// must be called on it.
func (r *Relay) Packet(ctx context.Context, id protocol.ClientID, p Packet, limit int64) *Sender {
	s := &Sender{ctx: ctx, core: r.core, chunks: r.chunks, client: id, packet: p, limit: limit, buf: r.chunks.get()}
	rand.Read(s.transfer[:])
	return s
}

// ReadFrom takes in all that r has. Errors of r are about the caller's body.
func (s *Sender) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		if err := s.room(); err != nil {
			return n, err
		}
		m, err := r.Read(s.buf.bytes[s.used:])
		n += int64(m)
		if err := s.took(m); err != nil {
			return n, err
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, problem.OfBody(err)
		}
	}
}

// Write takes in the next bytes.
func (s *Sender) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if err := s.room(); err != nil {
			return n, err
		}
		m := copy(s.buf.bytes[s.used:], p)
		if err := s.took(m); err != nil {
			return n, err
		}
		n, p = n+m, p[m:]
	}
	return n, nil
}

// took notes n more bytes in the buffer.
func (s *Sender) took(n int) error {
	if s.used == 0 {
		s.began = time.Now()
	}
	s.used += n
	if s.sent+int64(s.used) > s.limit {
		return TooLarge(s.limit)
	}
	return nil
}

// TooLarge is the problem of a packet over a limit.
func TooLarge(limit int64) error {
	return problem.New(problem.TooLarge, fmt.Sprintf("packet: larger than %d bytes", limit))
}

// room sees to it that there is room in the buffer.
func (s *Sender) room() error {
	if s.used > 0 && time.Since(s.began) >= pieceAge {
		return s.send(false)
	}
	if s.used < len(s.buf.bytes) {
		return nil
	}
	if s.buf = s.chunks.grow(s.buf); s.used < len(s.buf.bytes) {
		return nil
	}
	return s.send(false)
}

// send puts what is in the buffer under way.
func (s *Sender) send(end bool) error {
	if s.pipeline == nil {
		if err := s.core.Idempotent(s.ctx, func(conn *client.Conn) error {
			return s.packet.open(s.ctx, conn, s.client, s.transfer, uint32(s.limit))
		}); err != nil {
			return err
		}
		s.pipeline = newPipeline(s.ctx, s.core, s.chunks, s.client)
	}
	m := protocol.PacketPiece{Transfer: s.transfer, Offset: uint32(s.sent), End: end}
	if err := s.pipeline.add(inflight{m, s.buf, s.used}); err != nil {
		return err
	}
	s.sent += int64(s.used)
	s.buf, s.used = s.chunks.get(), 0
	return nil
}

// Finish sends what is left and returns how far the upload is.
func (s *Sender) Finish() (state *protocol.UploadState, err error) {
	if s.pipeline == nil {
		call := s.core.Once
		if s.packet.repeatable() {
			call = s.core.Idempotent
		}
		err = call(s.ctx, func(conn *client.Conn) error {
			state, err = s.packet.whole(s.ctx, conn, s.client, s.buf.bytes[:s.used])
			return err
		})
	} else if err = s.send(true); err == nil {
		state, err = s.pipeline.wait()
	}
	s.done = err == nil
	return state, err
}

// Close ends the sender. A packet that was not finished is given up; if that
// fails, the core gives it up by itself in time.
func (s *Sender) Close() error {
	s.chunks.put(s.buf)
	if s.pipeline == nil || s.done {
		return nil
	}
	// Why it was not finished has been said.
	_, _ = s.pipeline.wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), dropTimeout)
	defer cancel()
	err := s.core.Idempotent(ctx, func(conn *client.Conn) error {
		return conn.DropPacket(ctx, s.client, s.transfer)
	})
	if err != nil {
		return fmt.Errorf("give up a packet: %w", err)
	}
	return nil
}
