// Package api is Coffer's gateway: the REST API of openapi.yaml in front of a
// core, to which every call becomes requests of the wire protocol over pooled
// connections.
//
// It stores nothing and cannot open what passes through it: it has the wire
// alone, shares no code with the core or its storage, and never sees a session
// key but wrapped. It reads no flags and no environment. No client id,
// password or token reaches its log, its metrics or an error.
package api

//go:generate go tool -modfile=../.ci/tools.mod oapi-codegen -config oapi-codegen.yaml ../openapi.yaml

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/cors"
	"golang.org/x/sync/semaphore"

	"coffer/internal/content"
	"coffer/internal/contract"
	"coffer/internal/fair"
	"coffer/internal/pages"
	"coffer/protocol"
	"coffer/protocol/crypt"
)

// Config is what a Gateway runs with. Core, Secret and Log must be set;
// DefaultConfig gives the rest.
type Config struct {
	Core   string      // the core's internal listener: host:port, or "unix:" and a path
	Secret []byte      // what tokens are signed and sealed with, at least 32 bytes
	TLS    *tls.Config // nil: plain HTTP
	Log    *slog.Logger
	Web    fs.FS // the built web client; nil: none

	CoreSecret     crypt.CoreSecret // what the core asks for
	CoreTLS        *tls.Config      // nil: plain TCP to the core
	CoreConns      int              // most connections to the core
	CoreWait       time.Duration    // for a connection to become free
	CoreTimeout    time.Duration    // of a connection that stands still
	TokenTTL       time.Duration    // whole seconds
	MaxPacket      int64            // bytes of content
	BodyTimeout    time.Duration    // for the next bytes of a body, in either direction
	DrainDelay     time.Duration    // how long to serve on at shutdown, but say to balancers that it ends
	DrainTimeout   time.Duration    // how long requests in flight may take at shutdown
	TempDir        string           // for packets under way; "": the system's
	MaxSpool       int64            // bytes of packets that are held until it is known where they go
	AddressCalls   int              // most calls under way from one address
	AccountCalls   int              // most calls under way with one account
	CORSOrigins    []string         // of other pages that may call from a browser; "*" for all
	TrustedProxies []netip.Prefix   // whose X-Forwarded-For counts
	StatusNetworks []netip.Prefix   // whose callers see how busy the server is; none: everyone
	Rate           Rate             // of all calls from one address
	AuthRate       Rate             // of registering and signing in, by address
}

// A Rate is how many calls a second are served, and how many at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// DefaultConfig returns the settings a gateway has unless it is told otherwise.
func DefaultConfig() Config {
	return Config{
		CoreConns:    32,
		CoreWait:     5 * time.Second,
		CoreTimeout:  30 * time.Second,
		TokenTTL:     time.Hour,
		MaxPacket:    16 << 20,
		BodyTimeout:  30 * time.Second,
		DrainTimeout: 15 * time.Second,
		MaxSpool:     256 << 20,
		AddressCalls: 256,
		AccountCalls: 64,
		Rate:         Rate{PerSecond: 200, Burst: 400},
		AuthRate:     Rate{PerSecond: 5, Burst: 20},
	}
}

// A Gateway serves the API. It is static after New, but for leaving.
type Gateway struct {
	leaving atomic.Bool // it serves on, and wants no more callers

	cfg         Config
	log         *slog.Logger
	core        *pool
	tokens      *tokens
	contract    *contract.Contract
	document    []byte // the contract as JSON
	web         *pages.Site
	metrics     *metrics
	calls       *limiter // by address
	signIns     *signInLimit
	hashing     *pool               // to the core as well, for what takes it a password's hash
	turns       *fair.Queue         // for hashing
	chunks      *chunkPool          // of packets on their way
	pieces      *piecePool          // of packets not yet known where to go
	spools      *semaphore.Weighted // memory of those
	spooled     *gate               // their bytes, by client
	fromAddress *gate               // calls under way, by address
	ofAccount   *gate               // calls under way, by account
	handler     http.Handler
}

// New makes a gateway, which connects to the core when it is first asked
// something. Close releases it.
func New(cfg Config) (*Gateway, error) {
	if len(cfg.Secret) < minSecret {
		return nil, fmt.Errorf("the token secret has %d bytes; at least %d are needed", len(cfg.Secret), minSecret)
	}
	spec, err := GetSpec()
	if err != nil {
		return nil, fmt.Errorf("read the embedded contract: %w", err)
	}
	document, err := GetSpecJSON()
	if err != nil {
		return nil, fmt.Errorf("read the embedded contract: %w", err)
	}
	tokens, err := newTokens(cfg.Secret, cfg.TokenTTL)
	if err != nil {
		return nil, err
	}
	web, err := pages.Load(cfg.Web, unbuilt, "api", "docs")
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		cfg: cfg, log: cfg.Log, contract: contract.New(spec, pathUpload), document: document, web: web, tokens: tokens,
		calls: newLimiter(cfg.Rate), signIns: newSignInLimit(cfg.AuthRate), turns: fair.NewQueue(hashTurns),
		chunks: newChunkPool(chunkMemory), pieces: newPiecePool(), spools: semaphore.NewWeighted(spoolMemory),
		// One account may take a quarter, but always a packet.
		spooled:     newGate(max(cfg.MaxSpool/4, min(cfg.MaxPacket, cfg.MaxSpool)), cfg.MaxSpool),
		fromAddress: newGate(int64(cfg.AddressCalls), maxCalls), ofAccount: newGate(int64(cfg.AccountCalls), maxCalls),
	}
	var gateway protocol.ClientID // one, whatever pools it has
	rand.Read(gateway[:])         // never fails
	if g.core, err = newPool(cfg, gateway, cfg.CoreConns); err != nil {
		return nil, err
	}
	if g.hashing, err = newPool(cfg, gateway, hashTurns.Slots); err != nil {
		g.core.close()
		return nil, err
	}
	g.metrics = newMetrics(g.core)
	g.handler = g.routes()
	return g, nil
}

// Close closes the connections to the core, once no call uses them.
func (g *Gateway) Close() {
	g.core.close()
	g.hashing.close()
}

// ServeHTTP serves one call.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	g.handler.ServeHTTP(w, r)
}

// Serve serves on l until ctx ends. It then serves on for DrainDelay, not ready
// and closing each connection after an answer, so that balancers take their
// callers elsewhere before anything is refused; and lets calls in flight finish.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           g,
		TLSConfig:         g.cfg.TLS,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       withConnection,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() {
		if g.cfg.TLS != nil {
			done <- srv.ServeTLS(l, "", "")
			return
		}
		done <- srv.Serve(l)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	g.leaving.Store(true)
	if g.cfg.DrainDelay > 0 {
		g.log.Info("leaving", "after", g.cfg.DrainDelay)
		select {
		case err := <-done:
			return fmt.Errorf("serve: %w", err)
		case <-time.After(g.cfg.DrainDelay):
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.DrainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		g.log.Warn("calls in flight were cut off", "after", g.cfg.DrainTimeout)
		err = srv.Close()
	}
	<-done
	return err
}

// routes puts the middleware before the contract's routes.
func (g *Gateway) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(
		g.cutResets,
		g.requestID,
		g.deadlines,
		g.observe,
		g.recoverPanics,
		secureHeaders,
		g.allowOrigins(),
		g.forCaller,
		g.limitCalls,
		g.limitConcurrent,
		content.Normalize,
		middleware.Compress(5, "application/json", typeProblem, "text/html", "text/css", "text/javascript", "image/svg+xml", "application/wasm"),
		escapedPath,
		middleware.GetHead,
	)
	r.NotFound(g.notFound)
	r.MethodNotAllowed(g.methodNotAllowed)
	return HandlerWithOptions(g, ChiServerOptions{
		BaseRouter:       r,
		Middlewares:      []MiddlewareFunc{g.limitAccount, g.authenticate, g.validate},
		ErrorHandlerFunc: g.badParameter,
	})
}

// allowOrigins lets pages of other origins call, if there are any that may.
func (g *Gateway) allowOrigins() func(http.Handler) http.Handler {
	if len(g.cfg.CORSOrigins) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	return cors.New(cors.Options{
		AllowedOrigins: g.cfg.CORSOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", headerClientID, headerPassword, headerRequestID, "Range", "If-Range", "If-Match", "If-None-Match", "If-Unmodified-Since"},
		ExposedHeaders: []string{"ETag", "Location", "Link", "Retry-After", headerRequestID, "Content-Range", "Content-Disposition", "Accept-Ranges"},
		MaxAge:         600,
	}).Handler
}

// escapedPath has paths routed as they were escaped, so that a name in one may
// hold a slash, and is unescaped exactly once.
func escapedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = r.URL.EscapedPath()
		next.ServeHTTP(w, r)
	})
}

// methodNotAllowed answers a method that the path does not have: OPTIONS with
// what it has, others with a problem.
func (g *Gateway) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	routes := chi.RouteContext(r.Context()).Routes
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		lookup := method
		if method == http.MethodHead {
			lookup = http.MethodGet // which serves it
		}
		if routes.Match(chi.NewRouteContext(), lookup, r.URL.RawPath) {
			w.Header().Add("Allow", method)
		}
	}
	w.Header().Add("Allow", http.MethodOptions)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	g.fail(w, r, &problem{kind: kindMethod, message: "the path does not have this method; the Allow header says which it has"})
}

func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") { // browsers heed it by TLS alone
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
