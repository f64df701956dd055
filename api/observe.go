package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
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
