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

// asProblem turns any error into what the caller gets to see. It is the one place
// where that is decided; what is not known here is answered with a fixed
// sentence.
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
		return problem.New(problem.NotFound, "there is no such client, or not any more")
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
	return contract.Problem{Title: http.StatusText(status), Status: status, Detail: p.Detail, Field: nonZero(p.Field)}
}

// requestAttr is what the log calls a request by: its route, since paths hold
// names.
func requestAttr(r *http.Request) slog.Attr { return slog.String("console", route(r)) }
