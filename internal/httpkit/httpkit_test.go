package httpkit

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"coffer/internal/problem"
)

func answers(log io.Writer) *Answers {
	return &Answers{
		Log: slog.New(slog.NewTextHandler(log, nil)), Realm: "test",
		Problem: func(err error) *problem.Problem {
			if p := problem.Of(err); p != nil {
				return p
			}
			return problem.New(problem.Internal, "it failed").Because(err)
		},
		Body: func(_ *http.Request, p *problem.Problem) any { return map[string]any{"detail": p.Detail} },
		Attr: func(*http.Request) slog.Attr { return slog.String("request", "7") },
	}
}

// What the caller reads, what the log has, and what a header adds.
func TestFail(t *testing.T) {
	for _, test := range []struct {
		err           error
		status        int
		detail, log   string
		header, value string
	}{
		{problem.Field("name", "missing"), 400, "name: missing", "", "Content-Type", TypeProblem},
		{problem.New(problem.Unauthenticated, "sign in"), 401, "sign in", "", "Www-Authenticate", `Bearer realm="test"`},
		{problem.New(problem.Unavailable, "away"), 503, "away", "level=WARN", "Retry-After", "1"},
		{&problem.Problem{Kind: problem.Rate, Detail: "slower", RetryAfter: 9}, 429, "slower", "", "Retry-After", "9"},
		{errors.New("secret cause"), 500, "it failed", "secret cause", "Etag", ""},
	} {
		var log strings.Builder
		w := httptest.NewRecorder()
		w.Header().Set("ETag", `"1"`)
		answers(&log).Fail(w, httptest.NewRequest("GET", "/", nil), test.err)
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if w.Code != test.status || body["detail"] != test.detail || w.Header().Get(test.header) != test.value {
			t.Errorf("%v: %d %v %v", test.err, w.Code, body, w.Header())
		}
		if (test.log == "") != (log.String() == "") || !strings.Contains(log.String(), test.log) {
			t.Errorf("%v: logged %q", test.err, log.String())
		}
	}
}

func TestRecover(t *testing.T) {
	var log strings.Builder
	w := httptest.NewRecorder()
	answers(&log).Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "oh") || !strings.Contains(log.String(), "panic=oh") {
		t.Errorf("%d %s, logged %s", w.Code, w.Body, log.String())
	}
}

func TestMethodNotAllowed(t *testing.T) {
	r := chi.NewRouter()
	r.Use(EscapedPath)
	r.MethodNotAllowed(answers(io.Discard).MethodNotAllowed)
	r.Get("/a", func(http.ResponseWriter, *http.Request) {})
	r.Patch("/a", func(http.ResponseWriter, *http.Request) {})
	for method, status := range map[string]int{"POST": 405, "OPTIONS": 204} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(method, "/a", nil))
		if allow := strings.Join(w.Header().Values("Allow"), " "); w.Code != status || allow != "GET HEAD PATCH OPTIONS" {
			t.Errorf("%s: %d, Allow: %s", method, w.Code, allow)
		}
	}
}

type (
	// What generated packages have, each its own.
	InvalidParamFormatError struct {
		ParamName string
		Err       error
	}
	RequiredHeaderError struct{ ParamName string }
)

func (e *InvalidParamFormatError) Error() string { return "format" }
func (e *RequiredHeaderError) Error() string     { return "required" }

func TestBadParameter(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{&InvalidParamFormatError{ParamName: "limit"}, "limit: not of the right type, or given more than once"},
		{&RequiredHeaderError{ParamName: "X-Password"}, "X-Password: missing"},
		{errors.New("odd"), "parameter: not of the right type, or given more than once"},
	} {
		w := httptest.NewRecorder()
		answers(io.Discard).BadParameter(w, httptest.NewRequest("GET", "/", nil), test.err)
		if w.Code != 400 || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%v: %d %s", test.err, w.Code, w.Body)
		}
	}
}

func TestSecureHeaders(t *testing.T) {
	served := SecureHeaders("same-origin")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for proto, want := range map[string]bool{"": false, "http": false, "https": true} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-Proto", proto)
		served.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != want || w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%q: %v", proto, w.Header())
		}
	}
}

// Calls in flight as serving ends are answered.
func TestServeDrains(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, leaving, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-release
	})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, l, srv, Serving{Log: slog.New(slog.DiscardHandler), Leave: func() { close(leaving) },
			DrainDelay: time.Millisecond, DrainTimeout: time.Minute})
	}()
	slow := make(chan error, 1)
	go func() {
		response, err := http.Get("http://" + l.Addr().String())
		if err == nil {
			err = response.Body.Close()
		}
		slow <- err
	}()
	<-begun
	cancel()
	<-leaving
	close(release)
	if err := <-slow; err != nil {
		t.Errorf("in flight: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
