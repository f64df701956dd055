package api

import (
	"context"
	"net/http"

	"coffer/protocol"
)

// answer serves a call with what work returns: a value as JSON, nil as the status
// alone, an error as the problem that it is.
func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, status int, work func(ctx context.Context) (any, error)) {
	value, err := work(r.Context())
	g.answers.Reply(w, r, status, value, err)
}

// answerClient is answer for a call whose body names no client: it identifies the
// one that the call is for.
func (g *Gateway) answerClient(w http.ResponseWriter, r *http.Request, status int, work func(ctx context.Context, id protocol.ClientID) (any, error)) {
	g.answer(w, r, status, func(ctx context.Context) (any, error) {
		id, err := g.identify(r, nil)
		if err != nil {
			return nil, err
		}
		return work(ctx, id)
	})
}
