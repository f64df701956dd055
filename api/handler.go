package api

import (
	"context"
	"net/http"

	"coffer/protocol"
)

// handle answers a call with what work returns: a value as JSON, nil as the status
// alone, an error as the problem that it is.
func (g *Gateway) handle(w http.ResponseWriter, r *http.Request, status int, work func(ctx context.Context) (any, error)) {
	value, err := work(r.Context())
	g.answers.Reply(w, r, status, value, err)
}

// handleClient is handle for a call whose body names no client: it identifies the
// one that the call is for.
func (g *Gateway) handleClient(w http.ResponseWriter, r *http.Request, status int, work func(ctx context.Context, id protocol.ClientID) (any, error)) {
	g.handle(w, r, status, func(ctx context.Context) (any, error) {
		id, err := g.identify(r, nil)
		if err != nil {
			return nil, err
		}
		return work(ctx, id)
	})
}
