package api

import (
	"context"
	"sync"

	"coffer/client"
	"coffer/protocol"
)

// A flying piece is one on its way to the core.
type flying struct {
	m    protocol.PacketPiece
	buf  *chunk
	size int
}

// A flight takes the pieces of one packet to the core, in order and a few at a
// time, over one connection, which it holds only while there are any. If the
// connection breaks, those that were not answered for go once more.
type flight struct {
	// static after construction
	ctx    context.Context
	core   *pool
	chunks *chunkPool
	client protocol.ClientID

	crews sync.WaitGroup // of the goroutine that flies, if any

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	queue   []flying // to be sent
	under   int      // sent and not answered for
	manned  bool     // somebody flies
	state   *protocol.UploadState
	err     error // what ended it
}

func newFlight(ctx context.Context, core *pool, chunks *chunkPool, id protocol.ClientID) *flight {
	f := &flight{ctx: ctx, core: core, chunks: chunks, client: id}
	f.changed.L = &f.mu
	return f
}

// add puts a piece under way, once there is room for it.
func (f *flight) add(p flying) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue)+f.under >= maxFlying && f.err == nil {
		f.changed.Wait()
	}
	if f.err != nil {
		return f.err
	}
	f.queue = append(f.queue, p)
	if !f.manned {
		f.manned = true
		f.crews.Go(f.fly)
	}
	return nil
}

// wait waits until no piece is under way, and returns what the last one was
// answered with.
func (f *flight) wait() (*protocol.UploadState, error) {
	f.crews.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.err
}

// fly sends pieces until there are none.
func (f *flight) fly() {
	var sent []flying // and not answered for, oldest first
	err := f.core.do(f.ctx, idempotent, func(conn *client.Conn) error { return f.flyOn(conn, &sent) })
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range append(sent, f.queue...) {
		f.chunks.put(p.buf)
	}
	f.queue, f.err = nil, err
	f.changed.Broadcast()
}

// flyOn sends pieces over conn: first those that another connection took with
// it when it broke.
func (f *flight) flyOn(conn *client.Conn, sent *[]flying) error {
	var pending []client.PendingPiece
	start := func(p flying) error {
		answer, err := conn.StartPacketPiece(f.ctx, f.client, p.m, p.buf.bytes[:p.size])
		if err == nil {
			pending = append(pending, answer)
		}
		return err
	}
	defer func() {
		for _, answer := range pending { // the connection must not be left with them
			_, _ = answer.Wait()
		}
	}()
	for _, p := range *sent {
		if err := start(p); err != nil {
			return err
		}
	}
	for {
		p, more := f.next()
		switch {
		case more:
			*sent = append(*sent, p)
			if err := start(p); err != nil {
				return err
			}
			continue
		case len(pending) == 0:
			return nil
		}
		answer := pending[0]
		pending = pending[1:]
		state, err := answer.Wait()
		if err != nil {
			return err
		}
		f.landed((*sent)[0], state)
		*sent = (*sent)[1:]
	}
}

// next takes the next piece from the queue. With none there and none to wait
// for, the flight is over until add begins it anew.
func (f *flight) next() (p flying, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) > 0 {
		p, f.queue = f.queue[0], f.queue[1:]
		f.under++
		return p, true
	}
	f.manned = f.under > 0
	return flying{}, false
}

// landed notes the answer to a piece.
func (f *flight) landed(p flying, state *protocol.UploadState) {
	f.chunks.put(p.buf)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.under--
	f.state = state
	f.changed.Broadcast()
}
