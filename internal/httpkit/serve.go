// Package httpkit is what gateway and console do alike as HTTP servers: serving
// and ending, the headers of each answer, answers in JSON, problems, requests
// that a contract does not allow, slow callers and panics. What a program
// answers, and which problem an error is, it decides itself.
package httpkit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serving is how a server is served, and how it ends.
type Serving struct {
	TLS *tls.Config // nil: plain HTTP
	Log *slog.Logger
	// Leave is called as serving is about to end: from then on callers are better
	// served elsewhere, and calls without an end have to find one.
	Leave        func()
	DrainDelay   time.Duration // how long to serve on after that
	DrainTimeout time.Duration // how long calls in flight may take then
}

// Serve serves on l until ctx ends. It then says so by Leave, serves on for
// DrainDelay, so that balancers take their callers elsewhere before anything is
// refused, and lets calls in flight finish.
func Serve(ctx context.Context, l net.Listener, srv *http.Server, s Serving) error {
	srv.TLSConfig = s.TLS
	srv.IdleTimeout = 2 * time.Minute
	srv.MaxHeaderBytes = 32 << 10
	srv.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	done := make(chan error, 1)
	go func() {
		if s.TLS != nil {
			done <- srv.ServeTLS(l, "", "")
			return
		}
		done <- srv.Serve(l)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.Leave()
	if s.DrainDelay > 0 {
		s.Log.Info("leaving", "after", s.DrainDelay)
		select {
		case err := <-done:
			return fmt.Errorf("serve HTTP: %w", err)
		case <-time.After(s.DrainDelay):
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.DrainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		s.Log.Warn("calls in flight were cut off", "after", s.DrainTimeout)
		err = srv.Close()
	}
	<-done
	return err
}
