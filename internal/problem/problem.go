// Package problem has the errors that Coffer's HTTP APIs answer with (RFC 9457):
// their kind, a sentence for the caller, and the cause for the log. It never
// writes an answer: internal/httpkit does.
package problem

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
)

// A Kind of problem has a name that programs branch on and that never changes.
type Kind string

const (
	Invalid         Kind = "invalid"
	Unauthenticated Kind = "unauthenticated"
	Forbidden       Kind = "forbidden"
	SignInAgain     Kind = "sign-in-again"
	NotFound        Kind = "not-found"
	Method          Kind = "method"
	Timeout         Kind = "timeout"
	Conflict        Kind = "conflict"
	TooManyUploads  Kind = "too-many-uploads"
	NoSession       Kind = "no-session"
	TooLarge        Kind = "too-large"
	Precondition    Kind = "precondition"
	MediaType       Kind = "media-type"
	Range           Kind = "range"
	Misdirected     Kind = "misdirected"
	Rate            Kind = "rate"
	Internal        Kind = "internal"
	Core            Kind = "core"
	Unavailable     Kind = "unavailable"
	NoSpace         Kind = "no-space"
)

// Status returns the HTTP status of a kind. It is chosen here and nowhere else.
func (k Kind) Status() int {
	switch k {
	case Invalid:
		return http.StatusBadRequest
	case Unauthenticated:
		return http.StatusUnauthorized
	case Forbidden, SignInAgain:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Method:
		return http.StatusMethodNotAllowed
	case Timeout:
		return http.StatusRequestTimeout
	case Conflict, TooManyUploads, NoSession:
		return http.StatusConflict
	case Precondition:
		return http.StatusPreconditionFailed
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case MediaType:
		return http.StatusUnsupportedMediaType
	case Range:
		return http.StatusRequestedRangeNotSatisfiable
	case Misdirected:
		return http.StatusMisdirectedRequest
	case Rate:
		return http.StatusTooManyRequests
	case Core:
		return http.StatusBadGateway
	case Unavailable:
		return http.StatusServiceUnavailable
	case NoSpace:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// Type is the URI that identifies a kind, alike in every API. The gateway serves
// the page, which explains each.
func (k Kind) Type() string { return "/docs/problems#" + string(k) }

// A Problem is an error that a caller gets to see.
type Problem struct {
	Kind       Kind
	Detail     string // for the caller; begins with the field at fault, if there is one
	Field      string // at fault, if there is one
	RetryAfter int    // seconds; 0: the kind's default
	Cause      error  // for the log alone
}

// Error is what the caller reads.
func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// New makes a problem without a cause.
func New(kind Kind, detail string) *Problem { return &Problem{Kind: kind, Detail: detail} }

// Field makes a problem with a field of a request. The reason must not repeat the
// field's value, which may be secret.
func Field(field, reason string) *Problem {
	return &Problem{Kind: Invalid, Field: field, Detail: field + ": " + reason}
}

// Because returns the problem with a cause.
func (p *Problem) Because(cause error) *Problem {
	p.Cause = cause
	return p
}

// OfBody returns the problem for an error from reading a request's body.
func OfBody(err error) *Problem {
	if p := Of(err); p != nil {
		return p
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Problem{Kind: Timeout, Field: "body", Detail: "body: stopped coming", Cause: err}
	}
	return Field("body", "cut off before its end").Because(err)
}

// Of returns the problem for an error that means the same in every program, and
// nil for one that the program has to judge.
func Of(err error) *Problem {
	var p *Problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return &Problem{Kind: TooLarge, Field: "body", Detail: "body: larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes", Cause: err}
	case errors.Is(err, context.Canceled):
		return New(Unavailable, "the call was given up").Because(err)
	}
	return nil
}
