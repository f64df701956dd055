package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"coffer/internal/socket"
	"coffer/protocol"
	"coffer/protocol/crypt"
)

// DefaultTimeout is how long a connection may stand still, in either
// direction, while an answer is awaited.
const DefaultTimeout = time.Minute

// readBuffer is what one read takes from the connection, in bytes.
const readBuffer = 64 << 10

// Options change how [Dial] connects.
type Options struct {
	TLS     *tls.Config       // nil: plain TCP
	Timeout time.Duration     // 0: DefaultTimeout
	Secret  *crypt.CoreSecret // of the core, whose internal listener is dialed; nil: it is the public one
	Gateway protocol.ClientID // with Secret: a random number by which the core knows which connections are of one gateway
}

// A Conn is one connection to a core. It is safe for concurrent use, and
// pipelines: a call writes its request at once and then waits for its turn to
// read. A call that is cancelled, or that fails in any way but by the server's
// own refusal, closes the connection, because nobody knows any more what the
// bytes on it mean.
type Conn struct {
	// static after construction
	nc      net.Conn
	timeout time.Duration
	gateway bool // the core takes requests of a gateway here

	in *bufio.Reader // owned by the call whose turn it is

	mu   sync.Mutex    // held while a request is written
	out  []byte        // guarded by mu; reused
	last chan struct{} // guarded by mu; closed when the last call has read its answer

	closeOnce sync.Once
	closed    chan struct{}
	cause     error // set before closed is
}

// Dial connects to the core at addr ("host:port", or "unix:" and a path).
func Dial(ctx context.Context, addr string, opts Options) (*Conn, error) {
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	nc, err := dial(ctx, addr, opts.TLS)
	if err != nil {
		return nil, fmt.Errorf("connect to the server: %w", err)
	}
	conn := NewConn(nc, timeout)
	if opts.Secret != nil {
		if err := conn.proveGateway(ctx, *opts.Secret, opts.Gateway); err != nil {
			conn.Close()
			return nil, err
		}
		conn.gateway = true
	}
	return conn, nil
}

func dial(ctx context.Context, addr string, conf *tls.Config) (net.Conn, error) {
	nc, err := socket.Dial(ctx, addr)
	if err != nil || conf == nil {
		return nc, err
	}
	if conf.ServerName == "" {
		conf = conf.Clone()
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = "localhost" // a Unix socket
		}
		conf.ServerName = host
	}
	conn := tls.Client(nc, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		nc.Close()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ErrClosed, err) // and not refused: another try may do better
		}
		return nil, err
	}
	return conn, nil
}

// NewConn makes a Conn of an established connection, which it then owns. A
// timeout of 0 is [DefaultTimeout].
func NewConn(nc net.Conn, timeout time.Duration) *Conn {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	first := make(chan struct{})
	close(first)
	return &Conn{
		nc: nc, timeout: timeout,
		in:   bufio.NewReaderSize(nc, readBuffer),
		last: first, closed: make(chan struct{}),
	}
}

// Close closes the connection; calls that wait fail with [ErrClosed].
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	return nil
}

// Err is nil as long as the connection can be used, and otherwise the error
// that every call gets.
func (c *Conn) Err() error {
	select {
	case <-c.closed:
		return c.closedError()
	default:
		return nil
	}
}

func (c *Conn) closedError() error { return fmt.Errorf("%w: %w", ErrClosed, c.cause) }

// fail closes the connection because of cause; the first cause stays. It
// returns what the caller reports.
func (c *Conn) fail(cause error) error {
	c.closeOnce.Do(func() {
		c.cause = cause
		c.nc.Close()
		close(c.closed)
	})
	return c.closedError()
}

// content is what follows a request's message: bytes, or, if those are nil,
// size bytes of a reader, or what write writes, which is as much.
type content struct {
	bytes  []byte
	reader io.Reader
	write  func(io.Writer) error
	size   uint32
}

// A ticket is the right to read one answer, in its turn.
type ticket struct {
	c          *Conn
	turn, done chan struct{}
	stop       func() bool // ends the watch over the context
}

// send writes a request and returns the ticket for its answer. ctx is watched
// until the ticket is released.
func (c *Conn) send(ctx context.Context, id protocol.ClientID, m protocol.Message, body content) (*ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // nothing was written: the connection stays good
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.Err(); err != nil {
		return nil, err
	}
	t := &ticket{c: c, turn: c.last, done: make(chan struct{})}
	t.stop = context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	if err := c.writeLocked(ctx, id, m, body); err != nil {
		t.stop()
		return nil, c.fail(fmt.Errorf("send %v: %w", m.Code(), err))
	}
	c.last = t.done
	return t, nil
}

func (c *Conn) writeLocked(ctx context.Context, id protocol.ClientID, m protocol.Message, body content) error {
	size := body.size
	if body.bytes != nil {
		size = uint32(len(body.bytes))
	}
	c.out = c.out[:0]
	if address := callerIn(ctx); c.gateway && address.IsValid() {
		c.out = protocol.AppendRequest(c.out, protocol.ClientID{}, &protocol.Caller{Address: address}, 0)
	}
	c.out = protocol.AppendRequest(c.out, id, m, size)
	c.nc.SetWriteDeadline(time.Now().Add(c.timeout))
	if body.bytes != nil {
		_, err := (&net.Buffers{c.out, body.bytes}).WriteTo(c.nc)
		return err
	}
	if _, err := c.nc.Write(c.out); err != nil || size == 0 {
		return err
	}
	if body.write != nil {
		return writeExactly(deadlineWriter{c}, body.write, size)
	}
	_, err := io.CopyN(deadlineWriter{c}, body.reader, int64(size))
	return err
}

// writeExactly has write write, many small pieces at once, and fails unless
// that is size bytes.
func writeExactly(w io.Writer, write func(io.Writer) error, size uint32) error {
	counted := &countingWriter{w: w}
	buffered := bufio.NewWriterSize(counted, 64<<10)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if counted.n != int64(size) {
		return fmt.Errorf("%d bytes of content, but %d were announced", counted.n, size)
	}
	return nil
}

// countingWriter counts what is written.
type countingWriter struct {
	w io.Writer
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.n += int64(n)
	return n, err
}

// deadlineWriter gives each write its own time.
type deadlineWriter struct{ c *Conn }

func (w deadlineWriter) Write(p []byte) (int, error) {
	w.c.nc.SetWriteDeadline(time.Now().Add(w.c.timeout))
	return w.c.nc.Write(p)
}

// header waits for the ticket's turn and reads the header of its answer.
func (t *ticket) header() (protocol.ResponseHeader, error) {
	c := t.c
	select {
	case <-t.turn:
	case <-c.closed:
		return protocol.ResponseHeader{}, c.closedError()
	}
	c.nc.SetReadDeadline(time.Now().Add(c.timeout))
	h, err := protocol.ReadResponseHeader(c.in)
	if errors.Is(err, protocol.ErrVersion) {
		return h, c.fail(fmt.Errorf("%w: %w", ErrProtocol, err))
	}
	if err != nil {
		return h, c.fail(fmt.Errorf("read an answer: %w", err))
	}
	limit, known := h.Code.Limit()
	if !known || !limit.Allows(h.Size) {
		return h, c.fail(fmt.Errorf("%w: %v of %d bytes", ErrProtocol, h.Code, h.Size))
	}
	return h, nil
}

// payload reads the rest of the answer into m.
func (t *ticket) payload(size uint32, m protocol.Decoder) error {
	err := protocol.ReadPayload(t.c.in, size, m)
	if errors.Is(err, protocol.ErrMalformed) {
		err = fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if err != nil {
		return t.c.fail(err)
	}
	return nil
}

// release lets the next call read. It is called once, after the answer was
// read or the connection failed.
func (t *ticket) release() {
	t.stop()
	close(t.done)
}

// refusal reads an answer other than the one hoped for and returns the error
// that it means.
func (t *ticket) refusal(h protocol.ResponseHeader) error {
	var m protocol.Decoder
	var means error
	switch h.Code {
	case protocol.CodeFailure:
		failure := new(protocol.Failure)
		m, means = failure, failure
	case protocol.CodeError:
		m, means = new(protocol.Error), ErrRefused
	case protocol.CodeRegisterRefused:
		m, means = new(protocol.RegisterRefused), ErrNameRefused
	case protocol.CodeReconnectDenied:
		m, means = new(protocol.ReconnectDenied), ErrReconnectDenied
	default:
		return t.c.fail(fmt.Errorf("%w: unexpected %v", ErrProtocol, h.Code))
	}
	if err := t.payload(h.Size, m); err != nil {
		return err
	}
	return means
}

// receive reads the answer into m and releases the ticket.
func (t *ticket) receive(m protocol.Decoder) error {
	defer t.release()
	h, err := t.header()
	if err != nil {
		return err
	}
	if h.Code != m.Code() {
		return t.refusal(h)
	}
	return t.payload(h.Size, m)
}

// call sends a request and reads its answer into m.
func (c *Conn) call(ctx context.Context, id protocol.ClientID, request protocol.Message, m protocol.Decoder) error {
	return c.callWith(ctx, id, request, content{}, m)
}

func (c *Conn) callWith(ctx context.Context, id protocol.ClientID, request protocol.Message, body content, m protocol.Decoder) error {
	t, err := c.send(ctx, id, request, body)
	if err != nil {
		return err
	}
	return t.receive(m)
}

// ask is call for an answer that the caller gets.
func ask[T any, M interface {
	*T
	protocol.Decoder
}](ctx context.Context, c *Conn, id protocol.ClientID, request protocol.Message) (*T, error) {
	answer := new(T)
	if err := c.call(ctx, id, request, M(answer)); err != nil {
		return nil, err
	}
	return answer, nil
}
