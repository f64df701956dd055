// Package server is Coffer's core: it serves the wire protocol to clients and
// to the gateway, gathers uploads, and keeps what it promised in a catalog and
// a blob store.
//
// It never writes plaintext. It holds a session key only while the session, or
// the upload that the key is for, lives, and on disk only sealed with the
// master key. It reads no flags and no environment.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/text/encoding"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/admin"
	"coffer/server/metrics"
	"coffer/server/settings"
	"coffer/store"
)

// Config is what a Server runs with. Catalog, Blobs, MasterKey and Log must be
// set, and CoreSecret if there is an internal listener; DefaultConfig gives the
// rest.
type Config struct {
	Catalog    store.Catalog
	Blobs      store.Blobs
	MasterKey  MasterKey
	CoreSecret crypt.CoreSecret // what a connection to the internal listener must prove to know
	Log        *slog.Logger
	TLS        *tls.Config // for peers that begin with TLS, on both listeners; nil: for none
	TLSOnly    bool        // plain TCP is refused on the public listener

	settings.Values // what can be changed while it runs; its LogLevel is Level's, if there is one

	IdleTimeout          time.Duration     // a connection is closed after this time without a complete header
	RetryAckAfter        time.Duration     // silence after a 1030 that earns it a 1604
	DrainTimeout         time.Duration     // how long requests in flight may take at shutdown
	HeaderTimeout        time.Duration     // a header that has begun to come has to be whole within it
	UnprovenTimeout      time.Duration     // a connection that proves nothing, and stores nothing, is closed after it; 0: never
	RegistrationRate     int               // clients that register in an hour from one IPv4 address or IPv6 /64, on the wire; 0: no limit
	MaxPerAddress        int               // connections on the public listener from one IPv4 address or IPv6 /64; 0: no limit
	MaxPerAccount        int               // of them that have proven to be one client's; 0: no limit
	MaxPacket            uint32            // payload bytes of one packet
	MaxUploads           int               // unfinished uploads of one client
	MaxVersions          int               // file versions of one client; 0: no limit
	MaxUploadsInAll      int               // unfinished uploads of all; 0: no limit
	MaxUploadsPerAddress int               // of them begun from one IPv4 address or IPv6 /64; 0: no limit
	MaxRuns              int               // unfinished runs of one client
	MaxRunPacks          int               // packs put under one run
	MaxPuts              int               // packs that come in at once, of all
	MaxPutsPerAccount    int               // of them of one client
	MinRate              int               // bytes per second a payload must keep up
	OAEPHash             string            // "auto", "sha256" or "sha1"
	BaseSessions         BaseSessions      // what a session key of the base protocol belongs to
	LegacyCharset        encoding.Encoding // for names that are not UTF-8
	Space                *Space            // nil: never full
	Version              string            // of this build
	Level                *slog.LevelVar    // of Log; nil: it cannot be changed at run time
	BackupDir            string            // where copies of the catalog are kept; empty: none are made
}

// DefaultConfig returns the default settings of a server.
func DefaultConfig() Config {
	return Config{
		Values:               settings.Defaults(),
		IdleTimeout:          time.Minute,
		RetryAckAfter:        2 * time.Second,
		DrainTimeout:         10 * time.Second,
		HeaderTimeout:        10 * time.Second,
		UnprovenTimeout:      5 * time.Minute,
		RegistrationRate:     60,
		MaxPerAddress:        256,
		MaxPerAccount:        64,
		MaxPacket:            protocol.MaxPayload,
		MaxUploads:           256,
		MaxVersions:          1_000_000,
		MaxUploadsInAll:      4096,
		MaxUploadsPerAddress: 512,
		MaxRuns:              64,
		MaxRunPacks:          1 << 20,
		MaxPuts:              512,
		MaxPutsPerAccount:    32,
		MinRate:              1 << 10,
		OAEPHash:             "auto",
		BaseSessions:         PerConnection,
	}
}

// A Server serves the protocol on a public and an internal listener.
type Server struct {
	// Static after New.
	cfg           Config
	log           *slog.Logger
	started       time.Time
	sessions      *sessions
	passwords     *passwords
	revoked       *revokedTokens
	diagnostics   diagnostics
	suspended     *suspended
	journal       *journal
	metrics       *metrics.Metrics
	guesses       *guesses
	newcomers     *newcomers
	connections   *connections
	strangers     strangers // connections to the internal listener
	registrations *registrations
	admin         *admin.Service
	settings      *settings.Settings
	parts

	closing  atomic.Bool
	stopping chan struct{} // closed after closing is set
	numbers  atomic.Uint64 // of connections

	mu    sync.Mutex // guards conns
	conns map[*conn]struct{}
	// Connections that have proven to be of a gateway, and of which; guarded by mu.
	gateways map[*conn]store.ClientID
}

// New makes a server and takes up what an earlier run left: live sessions and
// unfinished uploads.
func New(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{
		cfg:       cfg,
		log:       cfg.Log,
		started:   time.Now(),
		passwords: newPasswords(),
		conns:     make(map[*conn]struct{}),
		gateways:  make(map[*conn]store.ClientID),
		suspended: newSuspended(),
		metrics:   metrics.New(),
		guesses:   newGuesses(),
		newcomers: newNewcomers(),
		stopping:  make(chan struct{}),
	}
	s.sessions = newSessions(cfg.Catalog, cfg.MasterKey, func() time.Duration { return s.Settings().SessionTTL }, cfg.Log)
	s.journal = &journal{seldom: newSeldom(), feed: admin.NewFeed(cfg.Catalog), sessions: s.sessions, catalog: cfg.Catalog}
	s.connections, s.registrations = newConnections(s), newRegistrations(cfg.RegistrationRate)
	s.parts = newParts(s)
	if err := checkMasterKey(ctx, cfg.Catalog, cfg.MasterKey); err != nil {
		return nil, err
	}
	if err := s.loadSettings(ctx); err != nil {
		return nil, err
	}
	ids, err := cfg.Catalog.Suspended(ctx)
	if err != nil {
		return nil, err
	}
	s.suspended.load(ids)
	if s.revoked, err = loadRevokedTokens(ctx, cfg.Catalog); err != nil {
		return nil, fmt.Errorf("reading revoked tokens: %w", err)
	}
	s.removals.revoked = s.revoked
	if err := s.sessions.load(ctx); err != nil {
		return nil, fmt.Errorf("taking up sessions: %w", err)
	}
	if err := s.uploads.Recover(ctx); err != nil {
		return nil, fmt.Errorf("taking up unfinished uploads: %w", err)
	}
	if err := s.removals.finishAll(ctx); err != nil {
		return nil, err
	}
	if err := s.sweeper.reconcile(ctx); err != nil {
		return nil, err
	}
	if s.admin, err = s.newAdmin(ctx); err != nil {
		return nil, err
	}
	s.cfg.Catalog, s.cfg.Blobs = nil, nil // each part has what it needs of them
	return s, nil
}

// Serve serves clients on public and the gateway on internal, which may be
// nil, until ctx is done. It then stops accepting, lets requests in flight
// finish for up to DrainTimeout, and returns once every connection is closed
// and what is known in memory alone is written. It closes the listeners.
func (s *Server) Serve(ctx context.Context, public, internal net.Listener) error {
	if internal != nil && s.cfg.CoreSecret == (crypt.CoreSecret{}) {
		return errNoSecret
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Connections outlive ctx while they drain.
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()

	var accepting, serving, tending sync.WaitGroup
	listen := func(l net.Listener, isInternal bool) {
		accepting.Go(func() {
			if err := s.accept(work, l, isInternal, &serving); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	listen(public, false)
	if internal != nil {
		listen(internal, true)
	}
	s.journal.note(store.Activity{Kind: store.ActivityServer, Outcome: store.OutcomeOK, Detail: strings.TrimSpace("started " + s.cfg.Version)})
	tending.Go(func() { s.tend(work) })
	tending.Go(func() { s.admin.Run(ctx, work) })
	tending.Go(func() { s.sweeper.run(ctx) })

	<-ctx.Done()
	if !s.closing.Swap(true) {
		close(s.stopping)
	}
	public.Close()
	if internal != nil {
		internal.Close()
	}
	accepting.Wait()
	s.drain(&serving)
	abort()
	tending.Wait()

	err := s.uploads.Close()
	last, done := context.WithTimeout(context.Background(), s.cfg.DrainTimeout)
	defer done()
	err = errors.Join(err, s.sessions.flush(last, time.Now()))
	s.journal.note(store.Activity{Kind: store.ActivityServer, Outcome: store.OutcomeOK, Took: time.Since(s.started), Detail: "stopped"})
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// accept accepts until the listener is closed. A failure that passes, such as
// too many open files, is waited out.
func (s *Server) accept(ctx context.Context, l net.Listener, internal bool, serving *sync.WaitGroup) error {
	for delay := 5 * time.Millisecond; ; {
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			s.log.Warn("cannot accept a connection", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(delay):
			}
			delay = min(2*delay, time.Second)
			continue
		}
		delay = 5 * time.Millisecond
		c := newConn(s, nc, internal)
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		serving.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.conns, c)
				delete(s.gateways, c)
				s.mu.Unlock()
			}()
			c.serve(ctx)
			c.leave(ctx)
		})
	}
}

// drain wakes idle connections, which then close, and cuts the others off
// when they take too long.
func (s *Server) drain(serving *sync.WaitGroup) {
	each := func(f func(*conn)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			f(c)
		}
	}
	each((*conn).wakeIfIdle)
	cut := time.AfterFunc(s.cfg.DrainTimeout, func() { each(func(c *conn) { c.nc.Close() }) })
	defer cut.Stop()
	serving.Wait()
}

// tend does what is due from time to time: ending sessions and uploads.
func (s *Server) tend(ctx context.Context) {
	interval := func() time.Duration { return min(30*time.Second, max(s.Settings().SessionTTL/4, time.Second)) }
	tick := time.NewTimer(interval())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			tick.Reset(interval())
			if err := s.sessions.flush(ctx, now); err != nil {
				s.log.Error("cannot write sessions", "error", err)
			}
			if err := s.revoked.forget(ctx, now); err != nil {
				s.log.Error("cannot forget revoked tokens", "error", err)
			}
			s.accounts.forgetFormerKeys(ctx, now)
			s.uploads.Expire(ctx, now)
			s.newcomers.expire(now)
		}
	}
}
