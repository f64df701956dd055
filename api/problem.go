package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/protocol"
)

const typeProblem = "application/problem+json"

// busyRetry is after how many seconds to ask a busy server again.
const busyRetry = 2

// coreAway is said whenever the core cannot be reached.
const coreAway = "the storage server cannot be reached; try again"

// A kind of problem has a stable type, /docs/problems#slug.
type kind int

const (
	kindInvalid kind = iota
	kindUnauthenticated
	kindForbidden
	kindSignInAgain
	kindNotFound
	kindMethod
	kindTimeout
	kindConflict
	kindTooManyUploads
	kindNoSession
	kindTooLarge
	kindPrecondition
	kindMediaType
	kindRange
	kindRate
	kindInternal
	kindCore
	kindUnavailable
	kindNoSpace
	kinds // how many there are
)

// about is what a kind of problem is called and means.
type about struct {
	Slug, Title string
	Status      int
	Meaning     string
}

func (k kind) about() about {
	return [kinds]about{
		kindInvalid:         {"invalid", "Invalid request", 400, "Something in the request is missing or wrong. The message names the field. Sending it again as it is will not help."},
		kindUnauthenticated: {"unauthenticated", "Not signed in", 401, "The session token is missing, expired, revoked or not of this server, or what was given to sign in is wrong. Sign in again."},
		kindForbidden:       {"forbidden", "Not allowed", 403, "Who asks is known, and may not do this. A client id that is not the token's own gets this answer too."},
		kindSignInAgain:     {"sign-in-again", "Sign in again", 403, "The call does what a session token alone must not. Sign in again and call within 5 minutes, or give the password in the call."},
		kindNotFound:        {"not-found", "Not found", 404, "There is no such path, file, version or upload, or it is somebody else's."},
		kindMethod:          {"method", "Method not allowed", 405, "The path is there, but not with this method. The Allow header lists those it has."},
		kindTimeout:         {"timeout", "Request timeout", 408, "The body came too slowly or not at all. Send it again."},
		kindConflict:        {"conflict", "Conflict", 409, "A name is taken, or a thing is not in the state for this: a file that is not complete cannot be verified."},
		kindTooManyUploads:  {"too-many-uploads", "Too many uploads", 409, "The account has as many unfinished uploads as it may. Finish or cancel one: GET /api/v1/uploads lists them."},
		kindNoSession:       {"no-session", "No session key", 409, "There is no public key on record, or no live session key. Send POST /api/v1/keys/public, or, if a key is on record, POST /api/v1/keys/session."},
		kindTooLarge:        {"too-large", "Too large", 413, "The body, the packet or the file is over a limit. GET /api/v1/limits tells them."},
		kindPrecondition:    {"precondition", "Precondition failed", 412, "The file is not, or no longer, what If-Match, If-None-Match or If-Unmodified-Since say. Nothing was done."},
		kindMediaType:       {"media-type", "Unsupported media type", 415, "The Content-Type is not the one that this call takes."},
		kindRange:           {"range", "Range not satisfiable", 416, "The range of bytes lies beyond the end of the file."},
		kindRate:            {"rate", "Too many requests", 429, "Calls come too fast. Retry-After says how many seconds to wait."},
		kindInternal:        {"internal", "Internal error", 500, "The gateway failed; its log says why, under the request id."},
		kindCore:            {"core", "Storage server error", 502, "The storage server failed or gave an answer that makes no sense; the log says why, under the request id."},
		kindUnavailable:     {"unavailable", "Unavailable", 503, "The storage server cannot be reached or is busy. Retry-After says how many seconds to wait."},
		kindNoSpace:         {"no-space", "No space", 507, "The storage is full. Restoring and removing still work."},
	}[k]
}

// A problem is an error that a caller is told: the message is for them, the
// cause for the log.
type problem struct {
	kind       kind
	message    string
	retryAfter int // seconds; 0: the kind's
	cause      error
}

func (p *problem) Error() string { return p.message }
func (p *problem) Unwrap() error { return p.cause }

// invalid is a problem with a field of the request.
func invalid(field, message string) *problem {
	return &problem{kind: kindInvalid, message: field + ": " + message}
}

// asProblem turns any error into what the caller is told. It is the one place
// where that is decided; what is not known here is told as a fixed sentence.
func asProblem(err error) *problem {
	var p *problem
	var failure *protocol.Failure
	var broken *openapi.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &broken) && broken.MediaType:
		return &problem{kind: kindMediaType, message: broken.Error(), cause: broken.Cause}
	case errors.As(err, &broken):
		return &problem{kind: kindInvalid, message: broken.Error(), cause: broken.Cause}
	case errors.As(err, &failure):
		return failureProblem(failure)
	case errors.As(err, &tooLarge):
		return &problem{kind: kindTooLarge, message: "body: larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes", cause: err}
	case errors.Is(err, context.Canceled):
		return &problem{kind: kindUnavailable, message: "the call was given up", cause: err}
	case client.IsTransport(err), errors.Is(err, context.DeadlineExceeded):
		return &problem{kind: kindUnavailable, message: coreAway, cause: err}
	case errors.Is(err, client.ErrProtocol), errors.Is(err, client.ErrRefused):
		return &problem{kind: kindCore, message: "the storage server gave an answer that makes no sense", cause: err}
	}
	return &problem{kind: kindInternal, message: "the gateway could not do this; its log says why", cause: err}
}

// failureProblem is the table of the core's statuses.
func failureProblem(f *protocol.Failure) *problem {
	p := &problem{message: f.Message, cause: f}
	switch f.Status {
	case protocol.StatusInvalid:
		p.kind = kindInvalid
	case protocol.StatusUnauthenticated:
		p.kind = kindUnauthenticated
	case protocol.StatusForbidden:
		p.kind = kindForbidden
	case protocol.StatusNotFound:
		p.kind = kindNotFound
	case protocol.StatusConflict:
		p.kind = kindConflict
	case protocol.StatusTooLarge:
		p.kind = kindTooLarge
	case protocol.StatusTooMany:
		p.kind = kindTooManyUploads
	case protocol.StatusNoSession:
		p.kind = kindNoSession
	case protocol.StatusNoSpace:
		p.kind = kindNoSpace
	case protocol.StatusUnavailable:
		p.kind = kindUnavailable
	case protocol.StatusBusy:
		p.kind, p.retryAfter = kindUnavailable, busyRetry
	default:
		p.kind, p.message = kindCore, "the storage server could not do this; its log says why"
	}
	return p
}

// bodyProblem is about an error while a body was read.
func bodyProblem(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.As(err, new(*problem)) || errors.As(err, new(*openapi.Error)) {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &problem{kind: kindTimeout, message: "body: stopped coming", cause: err}
	}
	return &problem{kind: kindInvalid, message: "body: cut off before its end", cause: err}
}

// fail answers with a problem. Every error that a caller gets passes here.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := asProblem(err)
	what := p.kind.about()
	if what.Status >= 500 && r.Context().Err() == nil {
		g.log.LogAttrs(r.Context(), levelOf(what.Status), "call failed", requestAttr(r), errorAttr(p))
	}
	h := w.Header()
	h.Set("Content-Type", typeProblem)
	h.Del("ETag")
	h.Del("Content-Disposition")
	switch {
	case p.retryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	case what.Status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case what.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="coffer"`)
	}
	w.WriteHeader(what.Status)
	body := contract.Problem{
		Type: "/docs/problems#" + what.Slug, Title: what.Title, Status: what.Status, Detail: p.message,
		Instance: "/requests/" + requestIDOf(r), Error: http.StatusText(what.Status), Message: p.message,
	}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		g.log.Debug("a problem did not reach its caller", requestAttr(r))
	}
}

// reply answers with a value as JSON, without one with the status alone, or
// with the problem that err is.
func (g *Gateway) reply(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	if err != nil {
		g.fail(w, r, err)
		return
	}
	if value == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		g.log.Debug("an answer did not reach its caller", requestAttr(r))
	}
}
