package api

import (
	"errors"
	"net/http"

	"coffer/api/contract"
	"coffer/internal/openapi"
)

const (
	typeJSON   = "application/json"
	typeOctets = "application/octet-stream"
	pathUpload = "/api/v1/files/upload" // its JSON is a stream
)

// validate lets only requests pass that the contract allows.
func (g *Gateway) validate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.contract.Check(w, r); err != nil {
			g.fail(w, r, bodyProblem(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// badParameter answers for a parameter that the generated code cannot read.
func (g *Gateway) badParameter(w http.ResponseWriter, r *http.Request, err error) {
	field := "parameter"
	var format *contract.InvalidParamFormatError
	var values *contract.TooManyValuesForParamError
	switch {
	case errors.As(err, &format):
		field = format.ParamName
	case errors.As(err, &values):
		field = values.ParamName
	}
	g.fail(w, r, &problem{kind: kindInvalid, message: field + ": not of the right type, or given more than once", cause: err})
}

// decode reads a body that has been validated.
func decode[T any](r *http.Request) (T, error) {
	v, err := openapi.Decode[T](r)
	if err != nil {
		return v, bodyProblem(err)
	}
	return v, nil
}
