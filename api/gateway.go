// Package api is Coffer's gateway: the REST API of openapi.yaml in front of a
// core, to which every call becomes requests of the wire protocol over pooled
// connections.
//
// It stores nothing and cannot open what passes through it: it has the wire
// alone, shares no code with the core or its storage, and never sees a session
// key but wrapped. It reads no flags and no environment. No client id,
// password or token reaches its log, its metrics or an error.
package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/cors"

	"coffer/api/contract"
	"coffer/api/relay"
	"coffer/internal/content"
	"coffer/internal/fair"
	"coffer/internal/httpkit"
	"coffer/internal/openapi"
	"coffer/internal/pages"
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

// pathUpload is the call whose JSON is a stream.
const pathUpload = "/api/v1/files/upload"

// A Rate is how many calls a second are served, and how many at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// DefaultConfig returns the settings a gateway has by default.
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
	core        *core
	tokens      *tokens
	contract    *openapi.Contract
	document    []byte // the contract as JSON
	web         *pages.Site
	metrics     *metrics
	answers     *httpkit.Answers
	calls       *limiter // by address
	signIns     *signInLimit
	turns       *fair.Queue  // for hashing
	relay       *relay.Relay // of packets
	fromAddress *fair.Gate   // calls under way, by address
	ofAccount   *fair.Gate   // calls under way, by account
	handler     http.Handler
}

// New makes a gateway, which connects to the core when it is first asked
// something. Close releases it.
func New(cfg Config) (*Gateway, error) {
	if len(cfg.Secret) < minSecret {
		return nil, fmt.Errorf("the token secret has %d bytes; at least %d are needed", len(cfg.Secret), minSecret)
	}
	spec, err := contract.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("read the embedded contract: %w", err)
	}
	document, err := contract.GetSpecJSON()
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
		cfg: cfg, log: cfg.Log, contract: openapi.New(spec, pathUpload), document: document, web: web, tokens: tokens,
		calls: newLimiter(cfg.Rate), signIns: newSignInLimit(cfg.AuthRate), turns: fair.NewQueue(hashTurns),
		fromAddress: fair.NewGate(int64(cfg.AddressCalls), maxCalls), ofAccount: fair.NewGate(int64(cfg.AccountCalls), maxCalls),
		answers: &httpkit.Answers{Log: cfg.Log, Realm: "coffer", Problem: asProblem, Body: problemBody, Attr: requestAttr},
	}
	if g.core, err = newCore(cfg); err != nil {
		return nil, err
	}
	g.relay = relay.New(g.core.conns, relay.Limits{Packet: cfg.MaxPacket, Spool: cfg.MaxSpool, TempDir: cfg.TempDir})
	g.metrics = newMetrics(g.core.conns)
	g.handler = g.routes()
	return g, nil
}

// Close closes the connections to the core, once no call uses them.
func (g *Gateway) Close() {
	g.core.close()
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
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext:       withConnection,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	return httpkit.Serve(ctx, l, srv, httpkit.Serving{
		TLS: g.cfg.TLS, Log: g.log, Leave: func() { g.leaving.Store(true) },
		DrainDelay: g.cfg.DrainDelay, DrainTimeout: g.cfg.DrainTimeout,
	})
}

// routes puts the middleware before the contract's routes.
func (g *Gateway) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(
		g.cutResets,
		g.requestID,
		httpkit.Steady(g.cfg.BodyTimeout),
		g.observe,
		g.answers.Recover,
		httpkit.SecureHeaders("cross-origin"),
		g.allowOrigins(),
		g.forCaller,
		g.limitCalls,
		g.limitConcurrent,
		content.Normalize,
		middleware.Compress(5, httpkit.TypeJSON, httpkit.TypeProblem, "text/html", "text/css", "text/javascript", "image/svg+xml", "application/wasm"),
		httpkit.EscapedPath,
		middleware.GetHead,
	)
	r.NotFound(g.notFound)
	r.MethodNotAllowed(g.answers.MethodNotAllowed)
	return contract.HandlerWithOptions(g, contract.ChiServerOptions{
		BaseRouter:       r,
		Middlewares:      []contract.MiddlewareFunc{g.limitAccount, g.authenticate, g.answers.Validate(g.contract)},
		ErrorHandlerFunc: g.answers.BadParameter,
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
