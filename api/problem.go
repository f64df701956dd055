package api

import (
	"context"
	"errors"
	"net/http"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/problem"
	"coffer/protocol"
)

// busyRetry is after how many seconds to ask a busy server again.
const busyRetry = 2

// coreAway is said whenever the core cannot be reached.
const coreAway = "the storage server cannot be reached; try again"

// A kindOfProblem is what the documentation says of a kind: /docs/problems#kind.
type kindOfProblem struct {
	Kind           problem.Kind
	Title, Meaning string
}

// kindsOfProblem are all that a caller can get.
func kindsOfProblem() []kindOfProblem {
	return []kindOfProblem{
		{problem.Invalid, "Invalid request", "Part of the request is missing or invalid. The message names the field. Repeating the same request will not help."},
		{problem.Unauthenticated, "Not signed in", "The session token is missing, expired, revoked or from another server, or the credentials are wrong. Sign in again."},
		{problem.Forbidden, "Not allowed", "The account is not allowed to do this. A client id that does not match the token gets this answer, too."},
		{problem.SignInAgain, "Sign in again", "A session token alone does not allow this call. Sign in again and repeat it within 5 minutes, or send the password with it."},
		{problem.NotFound, "Not found", "The path, file, version or upload does not exist, or it belongs to another account."},
		{problem.Method, "Method not allowed", "The path does not support this method. The Allow header lists the supported methods."},
		{problem.Timeout, "Request timeout", "The body came too slowly or not at all. Send it again."},
		{problem.Conflict, "Conflict", "The name is taken, or the state does not allow this call. For example, an incomplete file cannot be verified."},
		{problem.TooManyUploads, "Too many uploads", "The account has reached its maximum number of unfinished uploads. Finish or cancel one: GET /api/v1/uploads lists them."},
		{problem.NoSession, "No session key", "The account has no public key or no active session key. Send POST /api/v1/keys/public, or, if a key is on record, POST /api/v1/keys/session."},
		{problem.TooLarge, "Too large", "The body, the packet or the file exceeds a limit. GET /api/v1/limits lists the limits."},
		{problem.Precondition, "Precondition failed", "The file does not match If-Match, If-None-Match or If-Unmodified-Since. Nothing was changed."},
		{problem.MediaType, "Unsupported media type", "This call does not accept the Content-Type."},
		{problem.Range, "Range not satisfiable", "The range of bytes lies beyond the end of the file."},
		{problem.Rate, "Too many requests", "Calls arrive too fast. Retry-After says how many seconds to wait."},
		{problem.Internal, "Internal error", "The gateway failed. Its log has the cause under the request id."},
		{problem.Core, "Storage server error", "The storage server failed or sent an invalid answer. The log has the cause under the request id."},
		{problem.Unavailable, "Unavailable", "The storage server cannot be reached or is busy. Retry-After says how many seconds to wait."},
		{problem.NoSpace, "No space", "The storage is full. Restoring and removing still work."},
	}
}

// asProblem turns any error into what the caller gets to see. It is the one place
// where that is decided; what is not known here is answered with a fixed
// sentence.
func asProblem(err error) *problem.Problem {
	if p := problem.Of(err); p != nil {
		return p
	}
	var failure *protocol.Failure
	switch {
	case errors.As(err, &failure):
		return failureProblem(failure)
	case client.IsTransport(err), errors.Is(err, context.DeadlineExceeded):
		return problem.New(problem.Unavailable, coreAway).Because(err)
	case errors.Is(err, client.ErrNoSnapshots):
		return problem.New(problem.Core, "the storage server does not know snapshots: update it").Because(err)
	case errors.Is(err, client.ErrProtocol), errors.Is(err, client.ErrRefused):
		return problem.New(problem.Core, "the storage server gave an answer that makes no sense").Because(err)
	}
	return problem.New(problem.Internal, "the gateway could not do this; its log says why").Because(err)
}

// failureProblem maps statuses of the core to problems.
func failureProblem(f *protocol.Failure) *problem.Problem {
	p := &problem.Problem{Detail: f.Message, Cause: f}
	switch f.Status {
	case protocol.StatusInvalid:
		p.Kind = problem.Invalid
	case protocol.StatusUnauthenticated:
		p.Kind = problem.Unauthenticated
	case protocol.StatusForbidden:
		p.Kind = problem.Forbidden
	case protocol.StatusNotFound:
		p.Kind = problem.NotFound
	case protocol.StatusConflict:
		p.Kind = problem.Conflict
	case protocol.StatusTooLarge:
		p.Kind = problem.TooLarge
	case protocol.StatusTooMany:
		p.Kind = problem.TooManyUploads
	case protocol.StatusNoSession:
		p.Kind = problem.NoSession
	case protocol.StatusNoSpace:
		p.Kind = problem.NoSpace
	case protocol.StatusUnavailable:
		p.Kind = problem.Unavailable
	case protocol.StatusBusy:
		p.Kind, p.RetryAfter = problem.Unavailable, busyRetry
	default:
		p.Kind, p.Detail = problem.Core, "the storage server could not do this; its log says why"
	}
	return p
}

// problemBody is a problem as the contract has it.
func problemBody(r *http.Request, p *problem.Problem) any {
	status := p.Kind.Status()
	body := contract.Problem{
		Type: p.Kind.Type(), Status: status, Detail: p.Detail,
		Instance: "/requests/" + requestIDOf(r), Error: http.StatusText(status), Message: p.Detail,
	}
	for _, known := range kindsOfProblem() {
		if known.Kind == p.Kind {
			body.Title = known.Title
		}
	}
	return body
}
