package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"coffer/console/contract"
	"coffer/internal/openapi"
	"coffer/server/settings"
	"coffer/store"
)

const typeProblem = "application/problem+json"

// A problem is an error that a caller is told.
type problem struct {
	status     int
	detail     string
	field      string // that it is about, if it is one
	retryAfter int    // seconds; 0: none
}

func (p *problem) Error() string { return p.detail }

// asProblem turns any error into what the caller is told. It is the one place
// where that is decided; what is not known here is told as a fixed sentence.
func asProblem(err error) *problem {
	var p *problem
	var broken *openapi.Error
	var setting *settings.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &broken) && broken.MediaType:
		return &problem{status: http.StatusUnsupportedMediaType, detail: broken.Error(), field: broken.Field}
	case errors.As(err, &broken):
		return &problem{status: http.StatusBadRequest, detail: broken.Error(), field: broken.Field}
	case errors.As(err, &setting):
		return &problem{status: http.StatusBadRequest, detail: setting.Error(), field: setting.Flag}
	case errors.As(err, &tooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, detail: "body: larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes", field: "body"}
	case errors.Is(err, errWrongToken):
		return &problem{status: http.StatusUnauthorized, detail: "the token is wrong; the server keeps it in the file console.token in its data folder"}
	case errors.Is(err, store.ErrNoClient):
		return &problem{status: http.StatusNotFound, detail: "there is no such client, or not any more"}
	case errors.Is(err, store.ErrFull):
		return &problem{status: http.StatusInsufficientStorage, detail: "there is no space left on the server's disk"}
	case errors.Is(err, store.ErrBusy):
		return &problem{status: http.StatusServiceUnavailable, detail: "the catalog is busy; try again in a moment", retryAfter: 2}
	case errors.Is(err, context.Canceled):
		return &problem{status: http.StatusServiceUnavailable, detail: "the call was given up", retryAfter: 1}
	}
	return &problem{status: http.StatusInternalServerError, detail: "the server could not do this; its log says why"}
}

// fail answers with a problem. Every error that a caller gets passes here.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := asProblem(err)
	if p.status >= 500 && r.Context().Err() == nil {
		c.log.Error("a call of the console failed", "route", route(r), "error", err)
	}
	h := w.Header()
	h.Set("Content-Type", typeProblem)
	h.Del("ETag")
	h.Del("Content-Disposition")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="coffer console"`)
	}
	w.WriteHeader(p.status)
	body := contract.Problem{Title: http.StatusText(p.status), Status: p.status, Detail: p.detail}
	if p.field != "" {
		body.Field = &p.field
	}
	c.write(w, body)
}

// reply answers with a value as JSON, without one with the status alone, or
// with the problem that err is.
func (c *Console) reply(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if value == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	c.write(w, value)
}

func (c *Console) write(w http.ResponseWriter, value any) {
	if err := json.NewEncoder(w).Encode(value); err != nil {
		c.log.Debug("an answer of the console did not reach its caller", "error", err)
	}
}
