package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

const headerRequestID = "X-Request-ID"

type requestIDKey struct{}

// requestID gives each request an id, the caller's if it brings a sensible one.
func (g *Gateway) requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(headerRequestID)
		if !sensibleID(id) {
			var b [8]byte
			rand.Read(b[:])
			id = hex.EncodeToString(b[:])
		}
		w.Header().Set(headerRequestID, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

func sensibleID(id string) bool {
	return len(id) > 0 && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

func requestIDOf(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}

func requestAttr(r *http.Request) slog.Attr { return slog.String("request", requestIDOf(r)) }

// errorAttr is a problem for the log: what its caller is told, and why.
func errorAttr(p *problem) slog.Attr {
	if p.cause == nil {
		return slog.String("error", p.message)
	}
	return slog.String("error", p.message+": "+p.cause.Error())
}

func levelOf(status int) slog.Level {
	if status == http.StatusServiceUnavailable {
		return slog.LevelWarn
	}
	return slog.LevelError
}

// observe logs and measures each request. It knows routes, not paths: those
// hold names. Queries are left out too.
func (g *Gateway) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		body := &countingBody{ReadCloser: r.Body}
		r.Body = body
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			route := chi.RouteContext(r.Context()).RoutePattern()
			status := ww.Status()
			if status == 0 {
				status = http.StatusOK
			}
			took := time.Since(start)
			g.metrics.observe(r.Method, route, status, took, body.n, int64(ww.BytesWritten()))
			level := slog.LevelInfo
			if !strings.HasPrefix(route, "/api/") && status < 400 {
				level = slog.LevelDebug // probes
			}
			g.log.LogAttrs(r.Context(), level, "request", slog.String("method", method(r.Method)), slog.String("route", route),
				slog.Int("status", status), slog.Duration("took", took), slog.Int64("in", body.n),
				slog.Int("out", ww.BytesWritten()), slog.String("from", g.address(r)), requestAttr(r))
		}()
		next.ServeHTTP(ww, r)
	})
}

// method is the request's method if it is a usual one: others would let
// callers write what they like into metrics.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

// recoverPanics answers for a handler that panicked. It stands inside observe.
func (g *Gateway) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server's own way to cut a connection
			}
			g.log.Error("a handler panicked", requestAttr(r), "panic", v, "stack", string(debug.Stack()))
			g.fail(w, r, &problem{kind: kindInternal, message: "the gateway could not do this; its log says why"})
		}()
		next.ServeHTTP(w, r)
	})
}

// countingBody counts what is read of a body.
type countingBody struct {
	io.ReadCloser
	n int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// deadlines gives each read of a body, and each write of an answer, its own
// time: a slow but steady transfer passes, one that stands still does not.
func (g *Gateway) deadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		r.Body = &steadyBody{ReadCloser: r.Body, rc: rc, timeout: g.cfg.BodyTimeout}
		next.ServeHTTP(&steadyWriter{ResponseWriter: w, rc: rc, timeout: g.cfg.BodyTimeout}, r)
	})
}

type steadyBody struct {
	io.ReadCloser
	rc      *http.ResponseController
	timeout time.Duration
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if err := b.rc.SetReadDeadline(time.Now().Add(b.timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// The server goes on reading, to notice a caller who leaves.
		if clearErr := b.rc.SetReadDeadline(time.Time{}); clearErr != nil && !errors.Is(clearErr, http.ErrNotSupported) {
			return n, clearErr
		}
	}
	return n, err
}

type steadyWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

func (w *steadyWriter) Write(p []byte) (int, error) {
	if err := w.rc.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (w *steadyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
