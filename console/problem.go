package console

import (
	"errors"
	"log/slog"
	"net/http"

	"coffer/console/contract"
	"coffer/internal/problem"
	"coffer/server/settings"
	"coffer/store"
)

// asProblem turns any error into what the caller sees, and is the only place that
// decides so. An error that it does not know is answered with a fixed sentence.
func asProblem(err error) *problem.Problem {
	if p := problem.Of(err); p != nil {
		return p
	}
	var setting *settings.Error
	switch {
	case errors.As(err, &setting):
		return &problem.Problem{Kind: problem.Invalid, Field: setting.Flag, Detail: setting.Error()}
	case errors.Is(err, errWrongToken):
		return problem.New(problem.Unauthenticated, "the token is wrong; the server keeps it in the file console.token in its data folder")
	case errors.Is(err, store.ErrNoClient):
		return problem.New(problem.NotFound, "no such client")
	case errors.Is(err, store.ErrFull):
		return problem.New(problem.NoSpace, "there is no space left on the server's disk").Because(err)
	case errors.Is(err, store.ErrBusy):
		return &problem.Problem{Kind: problem.Unavailable, Detail: "the catalog is busy; try again in a moment", RetryAfter: 2, Cause: err}
	}
	return problem.New(problem.Internal, "the server could not do this; its log says why").Because(err)
}

// problemBody is a problem as the contract has it.
func problemBody(_ *http.Request, p *problem.Problem) any {
	status := p.Kind.Status()
	return contract.Problem{Type: p.Kind.Type(), Title: http.StatusText(status), Status: status, Detail: p.Detail, Field: nonZero(p.Field)}
}

// requestAttr is what the log calls a request by: its route, since paths hold
// names.
func requestAttr(r *http.Request) slog.Attr { return slog.String("console", route(r)) }
