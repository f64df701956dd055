package relay

import (
	"context"
	"sync"

	"coffer/client"
	"coffer/protocol"
)

// An inflight piece is one on its way to the core.
type inflight struct {
	m    protocol.PacketPiece
	buf  *chunk
	size int
}

// A pipeline sends the pieces of one packet to the core, in order and a few at
// a time, over one connection, which it holds only while there are pieces. If
// the connection breaks, unanswered pieces are sent once more.
type pipeline struct {
	// static after construction
	ctx    context.Context
	core   Core
	chunks *chunkPool
	client protocol.ClientID

	workers sync.WaitGroup // the goroutine that sends, if any

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	queue   []inflight // to be sent
	under   int        // sent and not answered for
	running bool       // there is a worker
	state   *protocol.UploadState
	err     error // what ended it
}

func newPipeline(ctx context.Context, core Core, chunks *chunkPool, id protocol.ClientID) *pipeline {
	l := &pipeline{ctx: ctx, core: core, chunks: chunks, client: id}
	l.changed.L = &l.mu
	return l
}

// add puts a piece under way, once there is room for it.
func (l *pipeline) add(p inflight) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue)+l.under >= maxInflight && l.err == nil {
		l.changed.Wait()
	}
	if l.err != nil {
		return l.err
	}
	l.queue = append(l.queue, p)
	if !l.running {
		l.running = true
		l.workers.Go(l.run)
	}
	return nil
}

// wait waits until no piece is under way, and returns what the last one was
// answered with.
func (l *pipeline) wait() (*protocol.UploadState, error) {
	l.workers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.err
}

// run sends pieces until there are none.
func (l *pipeline) run() {
	var sent []inflight // and not answered for, oldest first
	err := l.core.Idempotent(l.ctx, func(conn *client.Conn) error { return l.runOn(conn, &sent) })
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range append(sent, l.queue...) {
		l.chunks.put(p.buf)
	}
	l.queue, l.err = nil, err
	l.changed.Broadcast()
}

// runOn sends pieces over conn, beginning with the pieces that were unanswered
// when another connection broke.
func (l *pipeline) runOn(conn *client.Conn, sent *[]inflight) error {
	var pending []client.PendingPiece
	start := func(p inflight) error {
		answer, err := conn.StartPacketPiece(l.ctx, l.client, p.m, p.buf.bytes[:p.size])
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
		p, more := l.next()
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
		l.done((*sent)[0], state)
		*sent = (*sent)[1:]
	}
}

// next takes the next piece from the queue. With none there and none to wait
// for, the worker is done until add begins it anew.
func (l *pipeline) next() (p inflight, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		p, l.queue = l.queue[0], l.queue[1:]
		l.under++
		return p, true
	}
	l.running = l.under > 0
	return inflight{}, false
}

// done notes the answer to a piece.
func (l *pipeline) done(p inflight, state *protocol.UploadState) {
	l.chunks.put(p.buf)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under--
	l.state = state
	l.changed.Broadcast()
}
