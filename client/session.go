package client

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
)

// Credentials are who a session is. They hold secrets.
type Credentials struct {
	Addr   string // host:port
	Name   string
	Client protocol.ClientID // of the account, or the id of a send-only machine
	Key    *rsa.PrivateKey

	Machine bool // it is a send-only machine, which has no use for Name
}

// SessionOptions change how a session connects. Zero fields are defaults.
type SessionOptions struct {
	TLS        *tls.Config   // nil: plain TCP
	Timeout    time.Duration // of a standstill; DefaultTimeout
	MaxElapsed time.Duration // until a broken connection is given up; 5 minutes
	MinBackoff time.Duration // before the second try; 200 ms
	MaxBackoff time.Duration // between tries; 10 s
}

// A Session keeps one connection of one account: when it breaks, the next use
// connects, takes a new session key and proves it. It is safe for concurrent
// use.
type Session struct {
	// static after construction
	credentials Credentials
	opts        SessionOptions
	hash        crypt.OAEPHash

	lock chan struct{} // one token; guards what follows
	conn *Conn
	ever bool // was connected before
}

// NewSession makes a session, which connects at its first use.
func NewSession(credentials Credentials, opts SessionOptions) (*Session, error) {
	der, err := x509.MarshalPKIXPublicKey(&credentials.Key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	setDefault(&opts.Timeout, DefaultTimeout)
	setDefault(&opts.MaxElapsed, 5*time.Minute)
	setDefault(&opts.MinBackoff, 200*time.Millisecond)
	setDefault(&opts.MaxBackoff, 10*time.Second)
	return &Session{
		credentials: credentials, opts: opts, hash: crypt.AutoOAEPHash(der),
		lock: make(chan struct{}, 1),
	}, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Client is the account's client id.
func (s *Session) Client() protocol.ClientID { return s.credentials.Client }

// Fingerprint is the SHA-256 of the account's public key in DER, as in FileInfo.
func (s *Session) Fingerprint() [32]byte { return crypt.Fingerprint(&s.credentials.Key.PublicKey) }

// Unwrap opens a session key that an extension's answer brought, with the OAEP
// hash that the answer names.
func (s *Session) Unwrap(hash uint8, wrapped []byte) (crypt.SessionKey, error) {
	h := crypt.SHA256
	if hash == protocol.OAEPSHA1 {
		h = crypt.SHA1
	}
	return crypt.Unwrap(s.credentials.Key, h, wrapped)
}

// Close closes the session's connection.
func (s *Session) Close() {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if s.conn != nil {
		s.conn.Close()
	}
}

// Do calls f with a live connection, and again with a new one after a backoff
// as long as what fails is the connection: f must be safe to repeat. It gives
// up when ctx ends or nothing has worked for SessionOptions.MaxElapsed. The
// very first connection is tried once: a wrong address, or TLS on one side
// only, should say so at once.
func (s *Session) Do(ctx context.Context, f func(*Conn) error) error {
	b := backoff{opts: s.opts}
	for {
		started := time.Now()
		conn, final, err := s.connect(ctx)
		if err == nil {
			err = f(conn)
			if err == nil || !s.retryable(ctx, err) {
				return err
			}
			conn.Close()
		} else if final || !s.retryable(ctx, err) {
			return err
		}
		if time.Since(started) > s.opts.MaxBackoff {
			b = backoff{opts: s.opts} // it had worked for a while
		}
		if waitErr := b.wait(ctx); waitErr != nil {
			return fmt.Errorf("%w: %w", waitErr, err)
		}
	}
}

// retryable reports whether another connection may do better.
func (s *Session) retryable(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (IsTransport(err) || IsStatus(err, protocol.StatusNoSession) ||
		IsStatus(err, protocol.StatusUnauthenticated) || IsStatus(err, protocol.StatusUnavailable) || IsStatus(err, protocol.StatusBusy))
}

// connect returns the live connection or makes one; final is set where no
// further try is due.
func (s *Session) connect(ctx context.Context) (conn *Conn, final bool, err error) {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, true, context.Cause(ctx)
	}
	defer func() { <-s.lock }()
	if s.conn != nil && s.conn.Err() == nil {
		return s.conn, false, nil
	}
	conn, err = Dial(ctx, s.credentials.Addr, Options{TLS: s.opts.TLS, Timeout: s.opts.Timeout})
	if err != nil {
		return nil, !s.ever, err
	}
	if err := s.open(ctx, conn); err != nil {
		conn.Close()
		return nil, !s.ever && IsTransport(err), fmt.Errorf("open a session: %w", err)
	}
	s.conn, s.ever = conn, true
	return conn, false, nil
}

// open takes a session key and proves it.
func (s *Session) open(ctx context.Context, conn *Conn) error {
	if s.credentials.Machine {
		return s.openMachine(ctx, conn)
	}
	answer, err := conn.Reconnect(ctx, s.credentials.Client, s.credentials.Name)
	if err != nil {
		return err
	}
	key, err := crypt.Unwrap(s.credentials.Key, s.hash, answer.WrappedKey)
	if err != nil {
		return err
	}
	return conn.Prove(ctx, s.credentials.Client, key)
}

func (s *Session) openMachine(ctx context.Context, conn *Conn) error {
	issued, err := conn.OpenMachine(ctx, protocol.MachineID(s.credentials.Client))
	if err != nil {
		return err
	}
	key, err := s.Unwrap(issued.OAEPHash, issued.WrappedKey)
	if err != nil {
		return err
	}
	return conn.Prove(ctx, s.credentials.Client, key)
}

// errGaveUp: nothing worked for as long as a session tries.
var errGaveUp = errors.New("gave up reconnecting")

// backoff waits longer from time to time, with jitter.
type backoff struct {
	opts  SessionOptions
	since time.Time
	next  time.Duration
}

func (b *backoff) wait(ctx context.Context) error {
	if b.since.IsZero() {
		b.since, b.next = time.Now(), b.opts.MinBackoff
	}
	if time.Since(b.since) > b.opts.MaxElapsed {
		return errGaveUp
	}
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2+1))
	defer timer.Stop()
	b.next = min(2*b.next, b.opts.MaxBackoff)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
