package server

import (
	"io"
	"time"
)

// A payload is what a request's header announced and has not been read. It
// gives up on a peer slower than the minimum rate.
type payload struct {
	c        *conn
	left     uint32
	received int64
	start    time.Time
	keep     int    // bytes of the message that are kept, in case it fails
	head     []byte // they
}

func (c *conn) newPayload(size uint32) *payload {
	return &payload{c: c, left: size, start: time.Now()}
}

// Read reads on. It fails with io.EOF at the payload's end, and with a
// lostError when the connection ends before it.
func (p *payload) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if uint64(len(b)) > uint64(p.left) {
		b = b[:p.left]
	}
	if p.c.r.Buffered() == 0 {
		p.c.nc.SetReadDeadline(p.deadline())
	}
	n, err := p.c.r.Read(b)
	p.left -= uint32(n)
	p.received += int64(n)
	if more := p.keep - len(p.head); more > 0 {
		p.head = append(p.head, b[:min(n, more)]...)
	}
	if err != nil && p.left > 0 {
		return n, lostError{err}
	}
	return n, nil
}

// deadline is when a peer that keeps up the minimum rate has sent more.
func (p *payload) deadline() time.Time {
	earned := time.Duration(p.received) * time.Second / time.Duration(p.c.s.cfg.MinRate)
	return p.start.Add(p.c.s.cfg.IdleTimeout + earned)
}

// Wait waits until there is more to read.
func (p *payload) Wait() error {
	if p.c.r.Buffered() > 0 {
		return nil
	}
	p.c.nc.SetReadDeadline(p.deadline())
	if _, err := p.c.r.Peek(1); err != nil {
		return lostError{err}
	}
	return nil
}

// flowing is how long the rest of a piece may take to come, once some of it has.
const flowing = 20 * time.Millisecond

// Fill reads what is there, and what follows without a pause, up to as much as
// b holds. There is something to read.
func (p *payload) Fill(b []byte) (n int, err error) {
	b = b[:min(uint64(len(b)), uint64(p.left))]
	until := time.Now().Add(flowing)
	if end := p.deadline(); end.Before(until) {
		until = end
	}
	p.c.nc.SetReadDeadline(until)
	for n < len(b) && err == nil {
		var more int
		more, err = p.c.r.Read(b[n:])
		n += more
	}
	p.left -= uint32(n)
	p.received += int64(n)
	if err != nil && (n == 0 || !isTimeout(err)) && p.left > 0 {
		return n, lostError{err}
	}
	return n, nil
}

func (p *payload) skip() error {
	if p.left == 0 {
		return nil
	}
	_, err := io.Copy(io.Discard, struct{ io.Reader }{p})
	return err
}
