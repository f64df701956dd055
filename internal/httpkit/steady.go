package httpkit

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Steady gives each read of a body, and each write of an answer, its own time: a
// slow but steady transfer passes, one that stands still does not. What a
// handler leaves unread has a moment, in all, to arrive: net/http reads it before
// it answers, and who is refused is to know soon, and to hold nothing meanwhile.
func Steady(timeout time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := &steadyBody{ReadCloser: r.Body, rc: http.NewResponseController(w), timeout: timeout, ended: r.ContentLength == 0}
			defer body.leave()
			r.Body = body
			next.ServeHTTP(SteadyWriter(w, timeout), r)
		})
	}
}

// SteadyWriter gives each write of an answer its own time.
func SteadyWriter(w http.ResponseWriter, timeout time.Duration) http.ResponseWriter {
	return &steadyWriter{ResponseWriter: w, rc: http.NewResponseController(w), timeout: timeout}
}

// unreadTimeout is how long the server reads what a handler left.
const unreadTimeout = 2 * time.Second

type steadyBody struct {
	io.ReadCloser
	rc      *http.ResponseController
	timeout time.Duration
	ended   bool // nothing is left to read, or nothing comes
}

// leave bounds how long the server waits for what was not read, and then writes
// the answer. It fails on connections that are gone, and on those without
// deadlines.
func (b *steadyBody) leave() {
	if b.ended {
		return
	}
	until := time.Now().Add(min(b.timeout, unreadTimeout))
	_ = b.rc.SetReadDeadline(until)
	_ = b.rc.SetWriteDeadline(until.Add(b.timeout))
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if err := b.rc.SetReadDeadline(time.Now().Add(b.timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	if err == io.EOF {
		// The server keeps reading, to notice a caller who leaves.
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
