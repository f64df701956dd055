package httpkit

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"coffer/internal/openapi"
	"coffer/internal/problem"
)

// The media types of answers.
const (
	TypeJSON    = "application/json"
	TypeOctets  = "application/octet-stream"
	TypeProblem = "application/problem+json"
	typeText    = "text/plain; charset=utf-8"
)

// Answers write what calls come to. Each program has its own table of errors and
// its own schema of problems; every error that a caller gets passes Fail.
type Answers struct {
	Log     *slog.Logger
	Realm   string                                        // that one signs in to
	Problem func(error) *problem.Problem                  // the program's table: what an error is to the caller
	Body    func(r *http.Request, p *problem.Problem) any // the problem as the program's contract has it
	Attr    func(r *http.Request) slog.Attr               // what the log calls a request by
}

// Fail answers with the problem that err is.
func (a *Answers) Fail(w http.ResponseWriter, r *http.Request, err error) {
	p := a.Problem(err)
	status := p.Kind.Status()
	if status >= 500 && r.Context().Err() == nil {
		level := slog.LevelError
		if status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		a.Log.LogAttrs(r.Context(), level, "call failed", a.Attr(r), causeAttr(p))
	}
	h := w.Header()
	h.Set("Content-Type", TypeProblem)
	h.Del("ETag")
	h.Del("Content-Disposition")
	switch {
	case p.RetryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="`+a.Realm+`"`)
	}
	w.WriteHeader(status)
	a.encode(w, r, a.Body(r, p))
}

// causeAttr is a problem for the log: what its caller reads, and why.
func causeAttr(p *problem.Problem) slog.Attr {
	if p.Cause == nil {
		return slog.String("error", p.Detail)
	}
	return slog.String("error", p.Detail+": "+p.Cause.Error())
}

// Reply answers with a value as JSON, without one with the status alone, or with
// the problem that err is.
func (a *Answers) Reply(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	switch {
	case err != nil:
		a.Fail(w, r, err)
	case value == nil:
		w.WriteHeader(status)
	default:
		w.Header().Set("Content-Type", TypeJSON)
		w.WriteHeader(status)
		a.encode(w, r, value)
	}
}

func (a *Answers) encode(w io.Writer, r *http.Request, value any) {
	a.sent(r, json.NewEncoder(w).Encode(value))
}

// Send answers with bytes of a media type.
func (a *Answers) Send(w http.ResponseWriter, r *http.Request, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	_, err := w.Write(body)
	a.sent(r, err)
}

// Say answers with a line of text, for probes.
func (a *Answers) Say(w http.ResponseWriter, r *http.Request, status int, line string) {
	w.Header().Set("Content-Type", typeText)
	w.WriteHeader(status)
	_, err := io.WriteString(w, line+"\n")
	a.sent(r, err)
}

// sent logs that an answer did not get through: it has begun, so the caller
// cannot be sent another.
func (a *Answers) sent(r *http.Request, err error) {
	if err != nil {
		a.Log.Debug("an answer did not reach its caller", a.Attr(r), "error", err)
	}
}

// Recover answers for a handler that panicked.
func (a *Answers) Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server's own way to cut a connection
			}
			a.Log.Error("a handler panicked", a.Attr(r), "panic", v, "stack", string(debug.Stack()))
			a.Fail(w, r, errPanicked)
		}()
		next.ServeHTTP(w, r)
	})
}

// errPanicked is in no program's table: to the caller it is an internal error.
var errPanicked = errors.New("a handler panicked")

// Validate lets only requests pass that a contract allows.
func (a *Answers) Validate(c *openapi.Contract) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := c.Check(w, r); err != nil {
				a.Fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// BadParameter answers for a parameter that generated code cannot read. Each
// generated package has types of its own for that; all say the parameter's name
// in ParamName, and of a missing one their name begins with Required.
func (a *Answers) BadParameter(w http.ResponseWriter, r *http.Request, err error) {
	field, reason := "parameter", "not of the right type, or given more than once"
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if name := v.FieldByName("ParamName"); name.IsValid() {
			field = name.String()
		}
		if strings.HasPrefix(v.Type().Name(), "Required") {
			reason = "missing"
		}
	}
	a.Fail(w, r, problem.Field(field, reason).Because(err))
}

// MethodNotAllowed answers a method that the path does not have: OPTIONS with
// what it has, others with a problem.
func (a *Answers) MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	routes := chi.RouteContext(r.Context()).Routes
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		lookup := method
		if method == http.MethodHead {
			lookup = http.MethodGet // which serves it
		}
		if routes.Match(chi.NewRouteContext(), lookup, r.URL.RawPath) {
			w.Header().Add("Allow", method)
		}
	}
	w.Header().Add("Allow", http.MethodOptions)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	a.Fail(w, r, problem.New(problem.Method, "the path does not have this method; the Allow header says which it has"))
}
