// Package console serves the pages and the API with which an operator watches
// and manages a core: pages, a JSON API as openapi.yaml defines it, live
// events, metrics and health.
//
// It runs in the core's process and asks the core itself. It shows no client
// id, no key and no token. A session is in its cookie; that one has ended early
// is kept by the core.
package console

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"coffer/console/contract"
	"coffer/internal/content"
	"coffer/internal/httpkit"
	"coffer/internal/openapi"
	"coffer/internal/pages"
	"coffer/internal/problem"
	"coffer/protocol"
	"coffer/server/admin"
)

// Config is what a Console runs with. Core, Failures, Token, Log and Records must
// be set.
type Config struct {
	Core *admin.Service
	// Failures are base requests that failed, as the wire describes them.
	Failures func() []protocol.FailedExchange
	Token    Token
	Log      *slog.Logger
	Records  *Log        // what was logged, for the operator to read
	TLS      *tls.Config // nil: plain HTTP
	Pages    fs.FS       // the built pages; nil: none
	Hosts    []string    // names that it may be asked by, apart from this machine's

	Listen        string // where clients connect, to be shown
	ClientTLS     bool   // whether they connect by TLS
	MinFree       int64  // free bytes below which the core refuses uploads
	MasterKeyFile string // where the master key is; empty if it came by the environment
	Flags         []Flag // what the program was started with

	WriteTimeout time.Duration // for a reader to take what is written; 0: 10 seconds
}

const (
	// A call that is no stream and no download takes no longer.
	callTimeout = 30 * time.Second
	// drainTimeout is how long calls in flight may take at shutdown.
	drainTimeout = 5 * time.Second
)

//go:embed unbuilt.html
var unbuilt []byte

//go:embed refused.html.tmpl
var refusedTemplate string

// A Console serves the operator. It is static after New, but for closing.
type Console struct {
	cfg      Config
	core     *admin.Service
	log      *slog.Logger
	answers  *httpkit.Answers
	access   *access
	contract *openapi.Contract
	pages    *pages.Site
	refused  *template.Template
	metrics  http.Handler
	handler  http.Handler

	closing chan struct{} // closed when streams must end
}

// New makes a console.
func New(cfg Config) (*Console, error) {
	spec, err := contract.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("read the embedded contract: %w", err)
	}
	answers := &httpkit.Answers{Log: cfg.Log, Realm: "coffer console", Problem: asProblem, Body: problemBody, Attr: requestAttr}
	c := &Console{answers: answers, cfg: cfg, core: cfg.Core, log: cfg.Log, contract: openapi.New(spec), closing: make(chan struct{})}
	if c.access, err = newAccess(cfg.Token, cfg.Core); err != nil {
		return nil, fmt.Errorf("derive the key of sessions: %w", err)
	}
	if c.pages, err = pages.Load(cfg.Pages, unbuilt, "api", "metrics", "healthz", "readyz"); err != nil {
		return nil, err
	}
	if c.refused, err = template.New("refused").Parse(refusedTemplate); err != nil {
		return nil, fmt.Errorf("read the embedded page: %w", err)
	}
	if c.cfg.WriteTimeout == 0 {
		c.cfg.WriteTimeout = 10 * time.Second
	}
	for i, name := range c.cfg.Hosts {
		c.cfg.Hosts[i] = strings.ToLower(strings.TrimSuffix(name, "."))
	}
	if c.metrics, err = newMetrics(cfg.Core); err != nil {
		return nil, err
	}
	c.handler = c.routes()
	return c, nil
}

// ServeHTTP serves one call.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Serve serves on l until ctx ends, then ends streams and lets other calls in
// flight finish. It is for one use.
func (c *Console) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: c, ReadTimeout: callTimeout, WriteTimeout: callTimeout}
	return httpkit.Serve(ctx, l, srv, httpkit.Serving{
		TLS: c.cfg.TLS, Log: c.log, Leave: func() { close(c.closing) }, DrainTimeout: drainTimeout,
	})
}

// routes puts the middleware before the contract's routes. The last one of
// Middlewares is the outermost.
func (c *Console) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(
		c.observe,
		c.answers.Recover,
		httpkit.SecureHeaders("same-origin"),
		c.checkHost,
		c.checkOrigin,
		content.Normalize,
		middleware.Compress(5, httpkit.TypeJSON, httpkit.TypeProblem, "text/html", "text/css", "text/javascript", "image/svg+xml", "application/x-ndjson"),
		httpkit.EscapedPath,
		middleware.GetHead,
	)
	r.NotFound(c.notFound)
	r.MethodNotAllowed(c.answers.MethodNotAllowed)
	return contract.HandlerWithOptions(c, contract.ChiServerOptions{
		BaseRouter:       r,
		Middlewares:      []contract.MiddlewareFunc{c.answers.Validate(c.contract), c.authenticate},
		ErrorHandlerFunc: c.answers.BadParameter,
	})
}

// observe logs each call, by its route: paths hold names, queries may hold the
// token.
func (c *Console) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			c.log.Debug("console", "method", r.Method, "route", route(r), "status", ww.Status(), "took", time.Since(start), "from", r.RemoteAddr)
		}()
		next.ServeHTTP(ww, r)
	})
}

func route(r *http.Request) string {
	if in := chi.RouteContext(r.Context()); in != nil {
		return in.RoutePattern()
	}
	return ""
}

// checkHost refuses requests that were not meant for this console, so that no
// foreign page passes for one of its own.
func (c *Console) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !knownHost(r, c.cfg.Hosts) {
			c.refuse(w, r, problem.Misdirected, "This is not a name of the console",
				"The console answers to localhost, to the address it listens on, and to the names that the server was given with --console-host.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkOrigin refuses what another origin's page makes a browser send, whatever
// the method. A link from anywhere may lead to the pages, but not to the API.
func (c *Console) checkOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if foreign(r) || guard.Check(r) != nil {
			c.answers.Fail(w, r, problem.New(problem.Forbidden, "the request comes from another site"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate lets only those pass who are signed in, where the contract asks
// for it.
func (c *Console) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.contract.NeedsToken(r) {
			ctx, release, err := c.access.admit(r)
			if err != nil {
				c.answers.Fail(w, r, err)
				return
			}
			defer release()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// notFound serves paths outside the contract: the pages, the link with the
// token, or a problem.
func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" && r.Method == http.MethodGet && r.URL.Query().Has("token") {
		c.enter(w, r)
		return
	}
	if !c.pages.Serve(w, r) {
		c.answers.Fail(w, r, problem.New(problem.NotFound, "there is nothing at this path"))
	}
}

// enter exchanges the token of the link for a cookie, and leads to the same
// page without it: out of the address bar and the history.
func (c *Console) enter(w http.ResponseWriter, r *http.Request) {
	err := c.access.check(r.Context(), r.URL.Query().Get("token"))
	var p *problem.Problem
	switch {
	case errors.Is(err, errWrongToken):
		c.refuse(w, r, problem.Unauthenticated, "The token is wrong",
			"This link's token is not the console's. The server prints a link that works as it starts, and keeps the token in the file console.token in its data folder.")
	case errors.As(err, &p):
		c.refuse(w, r, p.Kind, "Too many wrong tokens", "Wait a little, then try again.")
	case err != nil: // nobody waits for the answer
	default:
		c.access.signIn(w, r)
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusSeeOther)
	}
}

// refuse explains to a person or a program why access is denied.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, kind problem.Kind, title, detail string) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		c.answers.Fail(w, r, problem.New(kind, detail))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(kind.Status())
	if err := c.refused.Execute(w, struct{ Title, Detail string }{title, detail}); err != nil {
		c.log.Debug("a page of the console did not reach its reader", "error", err)
	}
}

// SignIn exchanges the token for a cookie: POST /api/session.
func (c *Console) SignIn(w http.ResponseWriter, r *http.Request) {
	body, err := openapi.Decode[contract.SignIn](r)
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	if err := c.access.check(r.Context(), strings.TrimSpace(body.Token)); err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	c.access.signIn(w, r)
	w.WriteHeader(http.StatusNoContent)
}

// SignOut ends the session: DELETE /api/session.
func (c *Console) SignOut(w http.ResponseWriter, r *http.Request, _ contract.SignOutParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.access.signOut(w, r))
}

// GetSession reports that the caller is signed in: GET /api/session.
func (c *Console) GetSession(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}
