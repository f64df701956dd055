package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/upload"
	"coffer/store"
)

// headerBuffer holds a request's header and what stands before its content, so
// that both come with one read. Content goes past it. It is all that an idle
// connection keeps.
const headerBuffer = 512

// errHangUp ends a connection after the response that said why.
var errHangUp = errors.New("the connection cannot go on")

// errTooLong ends a connection that proved nothing for too long.
var errTooLong = errors.New("the connection proved nothing for too long")

// A conn serves one connection, one request after another.
type conn struct {
	// Static after newConn.
	s        *Server
	nc       net.Conn
	internal bool  // it came by the gateway's listener
	number   owner // unlike any other connection's
	began    time.Time
	peer     peer // set by serve, before anything else

	// Guarded by the mutex of the server's connections.
	standing standing
	account  store.ClientID // whose, once it has proven that

	idle atomic.Bool // waiting for a request

	// Owned by serve.
	wire      net.Conn        // nc, or TLS over it; deadlines are nc's
	begun     bool            // the first bytes have been looked at
	r         *bufio.Reader   // of wire
	out       []byte          // the response being made
	challenge []byte          // issued and not yet answered
	holder    *store.ClientID // whose session key was taken on this connection
	proven    *store.ClientID // who has proven to hold that key
	machine   *machine        // whose session key was taken in place of a client's
	gateway   bool            // it has proven to know the core's secret
	calling   peer            // the caller of the gateway's next request, or of this one
	access    baseAccess
	refusal   *refusal // why its last registration was refused
	ackDue    *protocol.Acknowledged
	refused   refusedPacket
	served    uint32 // requests that were dispatched so far
	stored    int64  // bytes of content that it had stored since it began, or confirmed a file
	restoring restoring
}

// refusedPacket remembers the last packet answered with 1607. Clients do not
// wait between packets; the rest of the burst gets no further answers, which
// would be taken for those to later requests.
type refusedPacket struct {
	client store.ClientID
	key    crypt.SessionKey // zero: refused for lack of one
	name   protocol.Field
	number uint16
}

func newConn(s *Server, nc net.Conn, internal bool) *conn {
	number := upload.OwnerOfConn(s.numbers.Add(1))
	return &conn{s: s, nc: nc, wire: nc, internal: internal, number: number, began: time.Now(), r: bufio.NewReaderSize(countReads{nc, s}, headerBuffer)}
}

type countReads struct {
	net.Conn
	s *Server
}

func (c countReads) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.s.metrics.Received.Add(uint64(n))
	return n, err
}

// wakeIfIdle makes a connection that waits for a request see that the server
// is closing.
func (c *conn) wakeIfIdle() {
	if c.idle.Load() {
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *conn) serve(ctx context.Context) {
	defer c.nc.Close()
	c.idle.Store(true) // a proxy may take a moment to say who it is
	c.peer = peerOf(c.nc.RemoteAddr())
	c.idle.Store(false)
	if !c.internal {
		if !c.s.connections.admit(c) {
			return
		}
		defer c.s.connections.remove(c)
	} else {
		if c.s.strangers.add(c) {
			c.s.metrics.ConnectionsEvicted.Add(1)
			c.s.journal.strangers.Do(func() {
				c.s.log.Warn("a connection to the internal listener that proved nothing was closed to make room", "limit", maxStrangers, "peer", c.peer.address)
			})
		}
		defer c.s.strangers.remove(c)
	}
	for {
		h, err := c.readHeader()
		switch {
		case err == nil:
			err = c.request(ctx, h)
		case errors.Is(err, protocol.ErrVersion):
			err = c.finish(&request{header: h}, nil, errVersion)
		}
		if errors.Is(err, errHangUp) {
			c.linger()
		}
		if err != nil || c.s.closing.Load() {
			return
		}
	}
}

// readHeader waits for a request. After a 1030 it acknowledges when the client
// stays silent: most clients go straight on, and an answer there breaks them.
func (c *conn) readHeader() (protocol.RequestHeader, error) {
	c.idle.Store(true)
	defer c.idle.Store(false)
	if c.ackDue != nil {
		c.nc.SetReadDeadline(time.Now().Add(c.s.cfg.RetryAckAfter))
		_, err := c.r.Peek(1)
		ack := c.ackDue
		c.ackDue = nil
		if err != nil && isTimeout(err) && !c.s.closing.Load() {
			if err := c.respond(ack); err != nil {
				return protocol.RequestHeader{}, err
			}
		}
	}
	now := time.Now()
	patience := c.patience(now)
	if patience <= 0 {
		return protocol.RequestHeader{}, errTooLong
	}
	c.nc.SetReadDeadline(now.Add(patience))
	if c.s.closing.Load() {
		return protocol.RequestHeader{}, net.ErrClosed
	}
	if _, err := c.r.Peek(1); err != nil {
		return protocol.RequestHeader{}, err
	}
	// The rest of a message that has begun arrives at once, or the client is
	// hostile.
	c.nc.SetReadDeadline(time.Now().Add(min(c.s.cfg.IdleTimeout, c.s.cfg.HeaderTimeout)))
	if c.s.closing.Load() {
		c.wakeIfIdle()
	}
	if !c.begun {
		c.begun = true
		if started, err := c.startTLS(); started {
			return c.readHeader()
		} else if err != nil {
			return protocol.RequestHeader{}, err
		}
	}
	return protocol.ReadRequestHeader(c.r)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// respond sends one response in one write: some clients read header and
// payload with one call each.
func (c *conn) respond(m protocol.Message) error {
	c.out = protocol.AppendResponse(c.out[:0], m, 0)
	err := c.write(c.out)
	if cap(c.out) > 16<<10 {
		c.out = nil
	}
	return err
}

func (c *conn) write(b []byte) error {
	c.nc.SetWriteDeadline(time.Now().Add(c.s.cfg.IdleTimeout))
	n, err := c.wire.Write(b)
	c.s.metrics.Sent.Add(uint64(n))
	if err != nil {
		return lostError{err}
	}
	return nil
}

// linger lets the last response arrive: closing with unread bytes would reset
// the connection and with it what the client has not read.
func (c *conn) linger() {
	if t, ok := c.wire.(interface{ CloseWrite() error }); ok {
		t.CloseWrite()
	}
	c.nc.SetReadDeadline(time.Now().Add(time.Second))
	io.CopyN(io.Discard, c.r, 256<<10)
}

// lostError: the connection failed, and nobody is there to answer to.
type lostError struct{ err error }

func (e lostError) Error() string { return "connection lost: " + e.err.Error() }
func (e lostError) Unwrap() error { return e.err }
