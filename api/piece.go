package api

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
	// A piece goes on its way after so long, full or not: the core gives up
	// packets whose pieces stay out for two minutes.
	pieceAge = 10 * time.Second
	// maxFlying is how many pieces of a packet are under way at most: with two,
	// the core has the next at hand while it answers for one.
	maxFlying = 2
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

// packet is how a packet is sent, by whichever name its upload has.
type packet interface {
	// whole sends a packet of which all is there.
	whole(ctx context.Context, conn *client.Conn, id protocol.ClientID, content []byte) (*protocol.UploadState, error)
	// open announces one that comes in pieces.
	open(ctx context.Context, conn *client.Conn, id protocol.ClientID, transfer protocol.TransferID, room uint32) error
	// again says whether whole may be repeated.
	again() repeat
}

// A sender passes a packet on to the core while it comes in: a small one in
// one request, a larger one in pieces, the next of which fills while others are
// under way. When none is, it holds no connection, so a caller may be as slow
// as it likes. It is used by one goroutine.
type sender struct {
	ctx    context.Context // the request's, for which alone this lives
	core   *pool
	chunks *chunkPool
	client protocol.ClientID
	packet packet
	limit  int64 // most bytes of content

	transfer protocol.TransferID
	flight   *flight // nil until the packet is opened
	done     bool
	buf      *chunk
	used     int       // bytes of buf
	began    time.Time // when the first of them came
	sent     int64     // bytes that are with the core or under way
}

// newSender makes a sender for a packet of at most limit bytes. Close must be
// called on it.
func (g *Gateway) newSender(ctx context.Context, id protocol.ClientID, p packet, limit int64) *sender {
	s := &sender{ctx: ctx, core: g.core, chunks: g.chunks, client: id, packet: p, limit: limit, buf: g.chunks.get()}
	rand.Read(s.transfer[:])
	return s
}

// ReadFrom takes in all that r has. Errors of r are about the caller's body.
func (s *sender) ReadFrom(r io.Reader) (n int64, err error) {
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
func (s *sender) Write(p []byte) (n int, err error) {
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
func (s *sender) took(n int) error {
	if s.used == 0 {
		s.began = time.Now()
	}
	s.used += n
	if s.sent+int64(s.used) > s.limit {
		return packetTooLarge(s.limit)
	}
	return nil
}

func packetTooLarge(limit int64) error {
	return &problem.Problem{Kind: problem.TooLarge, Detail: fmt.Sprintf("packet: larger than %d bytes", limit)}
}

// room sees to it that there is room in the buffer.
func (s *sender) room() error {
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
func (s *sender) send(end bool) error {
	if s.flight == nil {
		if err := s.core.do(s.ctx, idempotent, func(conn *client.Conn) error {
			return s.packet.open(s.ctx, conn, s.client, s.transfer, uint32(s.limit))
		}); err != nil {
			return err
		}
		s.flight = newFlight(s.ctx, s.core, s.chunks, s.client)
	}
	m := protocol.PacketPiece{Transfer: s.transfer, Offset: uint32(s.sent), End: end}
	if err := s.flight.add(flying{m, s.buf, s.used}); err != nil {
		return err
	}
	s.sent += int64(s.used)
	s.buf, s.used = s.chunks.get(), 0
	return nil
}

// finish sends what is left and returns how far the upload is.
func (s *sender) finish() (state *protocol.UploadState, err error) {
	if s.flight == nil {
		state, err = ask(s.ctx, s.core, s.packet.again(), func(conn *client.Conn) (*protocol.UploadState, error) {
			return s.packet.whole(s.ctx, conn, s.client, s.buf.bytes[:s.used])
		})
	} else if err = s.send(true); err == nil {
		state, err = s.flight.wait()
	}
	s.done = err == nil
	return state, err
}

// Close ends the sender. A packet that was not finished is given up; if that
// fails, the core gives it up by itself in time.
func (s *sender) Close() error {
	s.chunks.put(s.buf)
	if s.flight == nil || s.done {
		return nil
	}
	// Why it was not finished has been said.
	_, _ = s.flight.wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), dropTimeout)
	defer cancel()
	err := s.core.do(ctx, idempotent, func(conn *client.Conn) error {
		return conn.DropPacket(ctx, s.client, s.transfer)
	})
	if err != nil {
		return fmt.Errorf("give up a packet: %w", err)
	}
	return nil
}
