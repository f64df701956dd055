package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"coffer/protocol"
	"coffer/store"
)

const (
	// maxTransfers is the most packets that one client may have open.
	maxTransfers = 256
	// keptTransfers is how many that have ended are remembered.
	keptTransfers = 1024
)

// A transfer is an open packet: one that comes in pieces, over any
// connections. Between two pieces nothing waits for its sender.
type transfer struct {
	// Static after open.
	u    *upload
	room int64 // most bytes

	kept bool // it has ended, and is remembered; guarded by the transfers' mu

	touched atomic.Int64 // when a piece last came, in nanoseconds since 1970

	mu       sync.Mutex // guards what follows; taken before the upload's own
	p        *packet    // nil for one that is there already, whose pieces are dropped, or has ended
	received int64
	ended    bool
	err      error // why it failed
}

var (
	errUnknownTransfer = refuse(protocol.StatusUnavailable, "the server no longer has the beginning of this packet; send the packet again")
	errPieceMissing    = refuse(protocol.StatusConflict, "offset: the piece before this one is missing")
	errPieceBehind     = refuse(protocol.StatusConflict, "end: more of the packet was received before")
	errNoRoom          = refuse(protocol.StatusTooLarge, "the packet is larger than the room it was opened with")

	// errGivenUp is no Failure, which would end the upload.
	errGivenUp = errors.New("the packet was given up")
)

// take takes in what is new of a piece that begins at an offset in the packet.
func (t *transfer) take(ctx context.Context, offset int64, piece []byte, b *lease) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.received - offset
	switch {
	case t.err != nil || t.ended:
		return t.err
	case known < 0:
		return errPieceMissing
	case known >= int64(len(piece)):
		return nil
	}
	t.touch()
	piece = piece[known:]
	if t.received+int64(len(piece)) > t.room {
		t.giveUpLocked(ctx, errNoRoom, b)
		return t.err
	}
	t.received += int64(len(piece))
	if t.p == nil {
		return nil
	}
	if err := t.u.take(t.p, piece, b.out[:]); err != nil {
		return t.endLocked(ctx, err, b)
	}
	return nil
}

// end ends the packet, which has size bytes. Ending it again is no error.
func (t *transfer) end(ctx context.Context, size int64, b *lease) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return t.err
	case size > t.received:
		return errPieceMissing
	case size < t.received:
		return errPieceBehind
	}
	return t.endLocked(ctx, nil, b)
}

// drop gives the packet up, unless it has ended.
func (t *transfer) drop(ctx context.Context, b *lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.giveUpLocked(ctx, errUnknownTransfer, b)
	}
}

// giveUpLocked ends the packet as if it had never begun to come. Later pieces
// are answered with why.
func (t *transfer) giveUpLocked(ctx context.Context, why error, b *lease) {
	if err := t.endLocked(ctx, errGivenUp, b); err != nil && err != errGivenUp {
		t.u.s.log.Error("cannot go on with an upload after a packet was given up", "upload", t.u.id, "error", err)
	}
	t.err = why
}

func (t *transfer) endLocked(ctx context.Context, err error, b *lease) error {
	t.ended, t.err = true, err
	if t.p != nil {
		_, t.err = t.u.leave(ctx, t.p, err, b)
		t.p = nil
	}
	return t.err
}

func (t *transfer) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

func (t *transfer) touch() { t.touched.Store(time.Now().UnixNano()) }

func (t *transfer) idle(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, t.touched.Load()))
}

// transfers knows every open packet, and for a while those that have ended, so
// that a repeated last piece is answered as the first.
type transfers struct {
	s *Server

	mu    sync.Mutex // taken alone
	byID  map[transferKey]*transfer
	count map[store.ClientID]int // of open ones
	ended []transferKey          // oldest first
}

type transferKey struct {
	client store.ClientID
	id     protocol.TransferID
}

func newTransfers(s *Server) *transfers {
	return &transfers{s: s, byID: make(map[transferKey]*transfer), count: make(map[store.ClientID]int)}
}

// find returns the transfer, nil if there is none.
func (ts *transfers) find(key transferKey) *transfer {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.byID[key]
}

// open admits a packet to the upload. Opening it again is no error.
func (ts *transfers) open(ctx context.Context, key transferKey, u *upload, p *packet) error {
	b := ts.s.buffers.get()
	defer b.release()
	room := p.size
	p, err := u.enter(p, b)
	if err != nil {
		return err
	}
	t := &transfer{u: u, p: p, room: room}
	t.touch()
	if err := ts.add(key, t); err != nil {
		t.drop(ctx, b)
		return err
	}
	return nil
}

// errOpened: a repeated request came while the first was being served.
var errOpened = errors.New("the packet is open already")

func (ts *transfers) add(key transferKey, t *transfer) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	switch {
	case ts.byID[key] != nil:
		return errOpened
	case ts.count[key.client] >= maxTransfers:
		return refuse(protocol.StatusTooMany, "too many packets are under way: finish or drop one first")
	}
	ts.byID[key] = t
	ts.count[key.client]++
	return nil
}

// finish notes that a packet has ended.
func (ts *transfers) finish(key transferKey) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byID[key]
	if t == nil || t.kept {
		return
	}
	t.kept = true
	ts.lessLocked(key.client)
	ts.ended = append(ts.ended, key)
	if len(ts.ended) > keptTransfers {
		delete(ts.byID, ts.ended[0])
		ts.ended = ts.ended[1:]
	}
}

// forget takes out a packet that was open until now.
func (ts *transfers) forget(key transferKey) *transfer {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.forgetLocked(key)
}

func (ts *transfers) forgetLocked(key transferKey) *transfer {
	t := ts.byID[key]
	if t == nil || t.kept {
		return nil
	}
	delete(ts.byID, key)
	ts.lessLocked(key.client)
	return t
}

func (ts *transfers) lessLocked(client store.ClientID) {
	if ts.count[client]--; ts.count[client] == 0 {
		delete(ts.count, client)
	}
}

// expire drops the packets whose sender has gone silent.
func (ts *transfers) expire(ctx context.Context, now time.Time) {
	var silent []*transfer
	ts.mu.Lock()
	for key, t := range ts.byID {
		if t.idle(now) > 2*ts.s.cfg.IdleTimeout && ts.forgetLocked(key) != nil {
			silent = append(silent, t)
		}
	}
	ts.mu.Unlock()
	if len(silent) == 0 {
		return
	}
	b := ts.s.buffers.get()
	defer b.release()
	for _, t := range silent {
		t.drop(ctx, b)
	}
}

func (c *conn) openPacket(ctx context.Context, r *request, m *protocol.OpenPacket) (protocol.Message, error) {
	key := transferKey{r.client, m.Transfer}
	if c.s.transfers.find(key) != nil {
		return &protocol.Done{}, nil
	}
	u, err := c.upload(r.client, protocol.UploadRef{ByID: true, Upload: m.Packet.Upload})
	if err != nil {
		return nil, err
	}
	return c.opened(c.s.transfers.open(ctx, key, u,
		&packet{number: m.Packet.Number, last: m.Packet.Last, size: int64(m.Room), exact: true, from: r.from.address}))
}

func (c *conn) openNamedPacket(ctx context.Context, r *request, m *protocol.OpenNamedPacket) (protocol.Message, error) {
	key := transferKey{r.client, m.Transfer}
	if c.s.transfers.find(key) != nil {
		return &protocol.Done{}, nil
	}
	u, err := c.namedUpload(ctx, r, &m.Packet)
	if err != nil {
		return nil, err
	}
	return c.opened(c.s.transfers.open(ctx, key, u, &packet{number: m.Packet.Number, size: int64(m.Room), from: r.from.address}))
}

func (c *conn) opened(err error) (protocol.Message, error) {
	if err != nil && !errors.Is(err, errOpened) {
		return nil, err
	}
	return &protocol.Done{}, nil
}

func (c *conn) packetPiece(ctx context.Context, r *request, m *protocol.PacketPiece) (protocol.Message, error) {
	key := transferKey{r.client, m.Transfer}
	t := c.s.transfers.find(key)
	if t == nil {
		return nil, errUnknownTransfer
	}
	defer func() {
		if t.over() {
			c.s.transfers.finish(key)
		}
	}()
	offset := int64(m.Offset)
	err := c.s.buffers.each(r.payload, int64(r.payload.left), func(b *lease, piece []byte) error {
		at := offset
		offset += int64(len(piece))
		return t.take(ctx, at, piece, b)
	})
	switch {
	case err != nil:
		return nil, err
	case !m.End:
		return &protocol.Done{}, nil
	}
	b := c.s.buffers.get()
	defer b.release()
	if err := t.end(ctx, offset, b); err != nil {
		return nil, err
	}
	return t.u.settledStatus(ctx)
}

func (c *conn) dropPacket(ctx context.Context, r *request, m *protocol.DropPacket) (protocol.Message, error) {
	key := transferKey{r.client, m.Transfer}
	if t := c.s.transfers.forget(key); t != nil {
		b := c.s.buffers.get()
		defer b.release()
		t.drop(ctx, b)
	}
	return &protocol.Done{}, nil
}
