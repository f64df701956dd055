package api

import (
	"context"
	"net"
	"net/http"

	"golang.org/x/time/rate"
)

// How many calls of one HTTP/2 connection may be taken back by who made them:
// so many at once, and so many a second from then on. People who leave a page
// take back some; who opens streams only to reset them makes the server work for
// nothing.
const (
	resetBurst     = 100
	resetPerSecond = 10
	// maxStreams is how many calls a connection may have under way.
	maxStreams = 100
)

type connectionKey struct{}

// A connection counts the calls that its caller took back.
type connection struct {
	nc     net.Conn
	resets *rate.Limiter
}

// withConnection is an http.Server's ConnContext.
func withConnection(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{nc, rate.NewLimiter(resetPerSecond, resetBurst)})
}

// cutResets closes connections of HTTP/2 whose caller takes back call after
// call.
func (g *Gateway) cutResets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		c, ok := r.Context().Value(connectionKey{}).(*connection)
		if !ok || r.ProtoMajor < 2 || r.Context().Err() == nil || c.resets.Allow() {
			return
		}
		g.log.Warn("a connection is closed: too many of its calls were taken back", "from", g.address(r))
		c.nc.Close() // what is under way on it ends
	})
}
