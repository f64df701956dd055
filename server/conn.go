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
	"coffer/store"
)

// headerBuffer holds a request's header and what stands before its content, so
// that both come with one read. Content goes past it. It is all that an idle
// connection keeps.
const headerBuffer = 512

// maxSkipSuspended is the most of a suspended client's payload that is read
// over, so that it learns why without losing the connection.
const maxSkipSuspended = 64 << 10

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
	gateway   bool            // it has proven to know the core's secret
	calling   peer            // whom the gateway makes the next request for, or this one
	access    baseAccess
	refusal   *protocol.Failure // why its last registration was refused
	ackDue    *protocol.Acknowledged
	refused   refusedPacket
	served    uint32 // requests that were dispatched so far
	stored    int64  // bytes of content that it had stored since it began, or confirmed a file
	current   exchange
	outcome   outcome // of the current request
	restoring restoring
}

// refusedPacket remembers the last packet answered with 1607. Clients do not
// wait between packets; the rest of the burst gets no further answers, which
// would be taken for those to later requests.
type refusedPacket struct {
	client store.ClientID
	key    crypt.SessionKey // zero: refused for want of one
	name   protocol.Field
	number uint16
}

func newConn(s *Server, nc net.Conn, internal bool) *conn {
	number := firstConn + owner(s.numbers.Add(1))
	return &conn{s: s, nc: nc, wire: nc, internal: internal, number: number, began: time.Now(), r: bufio.NewReaderSize(countReads{nc, s}, headerBuffer)}
}

type countReads struct {
	net.Conn
	s *Server
}

func (c countReads) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.s.stats.received.Add(uint64(n))
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
			c.s.meters.evicted.Add(1)
			c.s.seldom.strangers.Do(func() {
				c.s.log.Warn("a connection to the internal listener that proved nothing was closed to make room", "limit", maxStrangers, "peer", c.peer.address)
			})
		}
		defer c.s.strangers.remove(c)
	}
	for {
		h, err := c.readHeader()
		if err == nil {
			c.outcome = requestServed
			err = c.request(c.forCaller(ctx), h)
			if h.Code != protocol.CodeCaller {
				c.calling = peer{}
			}
			if errors.As(err, new(lostError)) {
				c.outcome = requestLost
			}
			c.s.meters.count(h.Code, c.outcome)
		} else if errors.Is(err, protocol.ErrVersion) {
			c.s.stats.failures.Add(1)
			c.s.meters.count(0, requestRefused)
			c.current = exchange{header: h}
			c.failed(protocol.ErrVersion)
			c.respond(&protocol.Error{})
			err = errHangUp
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
	// What has begun to come is there in no time, or somebody is playing.
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

// request serves one request. The error it returns ends the connection.
func (c *conn) request(ctx context.Context, h protocol.RequestHeader) error {
	c.s.stats.requests.Add(1)
	p := c.newPayload(h.Size)
	limit, known := h.Code.Limit()
	c.current = exchange{header: h, payload: p}
	if h.Code.IsBase() {
		p.keep = int(min(h.Size, protocol.MaxFailedHead))
		if limit.Content {
			p.keep = int(min(h.Size, limit.Min))
		}
	}
	h.Code = h.Code.Canonical()
	if limit.Content {
		limit.Max = min(limit.Max, c.s.cfg.MaxPacket)
	}
	var answer protocol.Message
	var err error
	switch {
	case !c.admits(h.Code):
		return c.refuse(h, errUnproven, errHangUp)
	case !c.takesPlain() && !c.secure():
		c.failed(errPlain)
		return c.refuse(h, errPlain, errHangUp)
	case !known || !h.Code.IsRequest():
		if h.Size > c.s.cfg.MaxPacket {
			err = failure(protocol.StatusTooLarge, "the payload is too large")
			c.failed(err)
			return c.refuse(h, err, errHangUp)
		}
		err = failure(protocol.StatusInvalid, "unknown request code")
		switch protocol.HeaderRule(h, c.served > 0) {
		case protocol.RuleHeaderOrder:
			// What follows is of no known length: it would be waited for in vain.
			err = broken(protocol.RuleHeaderOrder, protocol.StatusInvalid, "the header's fields are in another order")
			c.failed(err)
			return c.refuse(h, err, errHangUp)
		case protocol.RuleBigEndian:
			return c.refuseBigEndian(h)
		}
	case h.Size > limit.Max:
		err = failure(protocol.StatusTooLarge, "the payload is too large")
		c.failed(err)
		return c.refuse(h, err, errHangUp)
	case h.Size < limit.Min:
		err = failure(protocol.StatusInvalid, "the payload is too short")
		c.failed(err)
		return c.refuse(h, err, errHangUp)
	default:
		if h.Client, err = c.addressed(ctx, h); err == nil {
			answer, err = c.dispatch(ctx, h, limit, p)
		}
	}

	if err != nil && !errors.Is(err, errSilent) {
		c.failed(err)
	}
	if err == nil {
		c.worked(h.Code, p.received)
	}
	c.served++
	var lost lostError
	if errors.As(err, &lost) {
		return err
	}
	if p.left > maxSkipSuspended && (errors.Is(err, errSuspended) || errors.Is(err, errBaseClosed)) {
		return c.refuse(h, err, errHangUp) // at once, and not once gigabytes have come
	}
	if skipErr := p.skip(); skipErr != nil {
		return skipErr
	}
	if err != nil && c.unproven() {
		return c.refuse(h, err, errHangUp) // one guess a connection
	}
	if err != nil {
		return c.refuse(h, err, nil)
	}
	if answer == nil {
		return nil
	}
	return c.respond(answer)
}

// bigEndianPatience is how long what a size the wrong way round announces is
// waited for.
const bigEndianPatience = 2 * time.Second

// refuseBigEndian refuses a request whose numbers are big-endian. Its size is
// gigabytes that will not come, so it reads on for a moment only; a client that
// closes instead has gone and is answered nothing.
func (c *conn) refuseBigEndian(h protocol.RequestHeader) error {
	err := broken(protocol.RuleBigEndian, protocol.StatusInvalid, "the numbers are big-endian")
	c.failed(err)
	c.nc.SetReadDeadline(time.Now().Add(min(bigEndianPatience, c.s.cfg.IdleTimeout)))
	if _, readErr := io.Copy(io.Discard, struct{ io.Reader }{c.r}); !isTimeout(readErr) {
		return lostError{net.ErrClosed}
	}
	return c.refuse(h, err, errHangUp)
}

// refuse answers a request that failed: base requests with 1607, extensions
// with the failure. Errors that are no Failure are the server's own fault;
// they are logged in full and nothing of them leaves.
func (c *conn) refuse(h protocol.RequestHeader, err, then error) error {
	c.s.stats.failures.Add(1)
	c.outcome = outcomeOf(err)
	if errors.Is(err, errSilent) {
		return nil
	}
	var f *protocol.Failure
	switch {
	case errors.As(err, &f):
		c.s.log.Debug("request refused", "request", h.Code.String(), "reason", f.Message, "client", h.Client, "peer", c.peer.address)
	case errors.Is(err, store.ErrFull):
		c.s.cfg.Space.Full()
		c.s.log.Error("storage is full", "request", h.Code.String(), "error", err)
		c.s.noteError(c.caller(), store.ClientID(h.Client), "the storage is full")
		f = failure(protocol.StatusNoSpace, "the server's storage is full")
	case errors.Is(err, store.ErrBusy):
		c.s.log.Warn("the catalog is busy", "request", h.Code.String(), "error", err)
		f = failure(protocol.StatusBusy, "the server is busy; ask again in a moment")
	case errors.Is(err, context.Canceled):
		f = failure(protocol.StatusUnavailable, "the server is shutting down")
	default:
		c.s.log.Error("request failed", "request", h.Code.String(), "client", h.Client, "peer", c.peer.address, "error", err)
		c.s.noteError(c.caller(), store.ClientID(h.Client), h.Code.String()+" failed; the log says why")
		f = failure(protocol.StatusInternal, "the server could not do this; its log says why")
	}
	var m protocol.Message = f
	if h.Code.IsBase() || !h.Code.IsRequest() {
		m = &protocol.Error{}
	}
	if err := c.respond(m); err != nil {
		return err
	}
	return then
}

// dispatch is the one switch over requests: a line each.
func (c *conn) dispatch(ctx context.Context, h protocol.RequestHeader, limit protocol.SizeLimit, p *payload) (protocol.Message, error) {
	if h.Code.Internal() && !c.internal {
		return nil, errNotHere
	}
	if h.Code.NeedsProof() {
		if err := c.authorize(ctx, h); err != nil {
			return nil, err
		}
	}
	id := store.ClientID(h.Client)
	if h.Code != protocol.CodeRegister && c.s.suspended.has(id) {
		return nil, errSuspended
	}
	if h.Code.IsBase() {
		if err := c.admitBase(ctx, h.Code, id); err != nil {
			return nil, err
		}
	}
	switch h.Code {
	case protocol.CodeRegister:
		return handle(ctx, p, h.Size, id, c.register)
	case protocol.CodeSendPublicKey:
		return handle(ctx, p, h.Size, id, c.sendPublicKey)
	case protocol.CodeReconnect:
		return handle(ctx, p, h.Size, id, c.reconnect)
	case protocol.CodeSendFile:
		return handle(ctx, p, limit.Min, id, withContent(p, c.sendFile))
	case protocol.CodeChecksumOK:
		return handle(ctx, p, h.Size, id, c.checksumOK)
	case protocol.CodeChecksumRetry:
		return handle(ctx, p, h.Size, id, c.checksumRetry)
	case protocol.CodeChecksumGiveUp:
		return handle(ctx, p, h.Size, id, c.checksumGiveUp)
	case protocol.CodeChallenge:
		return handle(ctx, p, h.Size, id, c.issueChallenge)
	case protocol.CodeProve:
		return handle(ctx, p, h.Size, id, c.prove)
	case protocol.CodeProveGateway:
		return handle(ctx, p, h.Size, id, c.proveGateway)
	case protocol.CodeCaller:
		return handle(ctx, p, h.Size, id, c.setCaller)
	case protocol.CodeBeginUpload:
		return handle(ctx, p, h.Size, id, c.beginUpload)
	case protocol.CodeUploadPacket:
		return handle(ctx, p, limit.Min, id, withContent(p, c.uploadPacket))
	case protocol.CodeNamedPacket:
		return handle(ctx, p, limit.Min, id, withContent(p, c.namedPacket))
	case protocol.CodeAskUpload:
		return handle(ctx, p, h.Size, id, c.askUpload)
	case protocol.CodeVerifyUpload:
		return handle(ctx, p, h.Size, id, c.verifyUpload)
	case protocol.CodeCancelUpload:
		return handle(ctx, p, h.Size, id, c.cancelUpload)
	case protocol.CodeListUploads:
		return handle(ctx, p, h.Size, id, c.listUploads)
	case protocol.CodeListFiles:
		return handle(ctx, p, h.Size, id, c.listFiles)
	case protocol.CodeAskFile:
		return handle(ctx, p, h.Size, id, c.askFile)
	case protocol.CodeReadFile:
		return handle(ctx, p, h.Size, id, c.readFile)
	case protocol.CodeDeleteFile:
		return handle(ctx, p, h.Size, id, c.deleteFile)
	case protocol.CodePutKeyBundle:
		return handle(ctx, p, h.Size, id, c.putKeyBundle)
	case protocol.CodeGetKeyBundle:
		return handle(ctx, p, h.Size, id, c.getKeyBundle)
	case protocol.CodeAskAccount:
		return handle(ctx, p, h.Size, id, c.askAccount)
	case protocol.CodeOpenPacket:
		return handle(ctx, p, h.Size, id, c.openPacket)
	case protocol.CodeOpenNamedPacket:
		return handle(ctx, p, h.Size, id, c.openNamedPacket)
	case protocol.CodePacketPiece:
		return handle(ctx, p, limit.Min, id, withContent(p, c.packetPiece))
	case protocol.CodeDropPacket:
		return handle(ctx, p, h.Size, id, c.dropPacket)
	case protocol.CodeSetPassword:
		return handle(ctx, p, h.Size, id, c.setPassword)
	case protocol.CodeRemoveAccount:
		return handle(ctx, p, h.Size, id, c.removeAccount)
	case protocol.CodeSetBaseAccess:
		return handle(ctx, p, h.Size, id, c.setBaseAccess)
	case protocol.CodeMakeAPIID:
		return handle(ctx, p, h.Size, id, c.makeAPIID)
	case protocol.CodeAskIdentity:
		return handle(ctx, p, h.Size, id, c.askIdentity)
	case protocol.CodeAskRefusal:
		return handle(ctx, p, h.Size, id, c.askRefusal)
	case protocol.CodeCreateAccount:
		return handle(ctx, p, h.Size, id, c.createAccount)
	case protocol.CodeSignIn:
		return handle(ctx, p, h.Size, id, c.signIn)
	case protocol.CodeSetPublicKey:
		return handle(ctx, p, h.Size, id, c.setPublicKey)
	case protocol.CodeNewSession:
		return handle(ctx, p, h.Size, id, c.newSession)
	case protocol.CodeAskStatus:
		return handle(ctx, p, h.Size, id, c.askStatus)
	case protocol.CodeAskFailures:
		return handle(ctx, p, h.Size, id, c.askFailures)
	case protocol.CodeRevokeToken:
		return handle(ctx, p, h.Size, id, c.revokeToken)
	case protocol.CodeCheckToken:
		return handle(ctx, p, h.Size, id, c.checkToken)
	case protocol.CodeRevokeTokens:
		return handle(ctx, p, h.Size, id, c.revokeTokens)
	}
	return nil, failure(protocol.StatusInvalid, "unknown request code")
}

// handle reads the size bytes of a message and passes it to its handler.
func handle[M any, D interface {
	*M
	protocol.Decoder
}](ctx context.Context, p *payload, size uint32, id store.ClientID, serve func(context.Context, store.ClientID, D) (protocol.Message, error)) (protocol.Message, error) {
	var m M
	if err := protocol.ReadPayload(p, size, D(&m)); err != nil {
		if errors.Is(err, protocol.ErrMalformed) {
			return nil, failure(protocol.StatusInvalid, "the payload is malformed")
		}
		return nil, lostError{err}
	}
	return serve(ctx, id, &m)
}

// withContent gives a handler the content that follows its message.
func withContent[D any](p *payload, serve func(context.Context, store.ClientID, D, *payload) (protocol.Message, error)) func(context.Context, store.ClientID, D) (protocol.Message, error) {
	return func(ctx context.Context, id store.ClientID, m D) (protocol.Message, error) {
		return serve(ctx, id, m, p)
	}
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
	c.s.stats.sent.Add(uint64(n))
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

func failure(status protocol.Status, message string) *protocol.Failure {
	return &protocol.Failure{Status: status, Message: message}
}

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

// wait waits until there is more to read.
func (p *payload) wait() error {
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

// fill reads what is there, and what follows without a pause, up to as much as
// b holds. There is something to read.
func (p *payload) fill(b []byte) (n int, err error) {
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
	return p.c.s.buffers.each(p, int64(p.left), func(*lease, []byte) error { return nil })
}
