// Package openapi holds requests against an OpenAPI document before a handler
// sees them. What it says about a bad request names the field, and never what
// the field held: that may be secret.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/go-chi/chi/v5"

	"coffer/internal/jsontext"
	"coffer/internal/problem"
)

const (
	typeJSON   = "application/json"
	typeOctets = "application/octet-stream"
	maxJSON    = 128 << 10 // bytes of a body, but for streams
)

// A Contract says what requests must look like. It is static after New.
type Contract struct {
	Spec    *openapi3.T
	streams []string
}

// New makes a contract of a document. Bodies in JSON at the paths in streams
// are their handlers' to read and check, as bodies that are bytes always are.
func New(spec *openapi3.T, streams ...string) *Contract {
	return &Contract{Spec: spec, streams: streams}
}

// route finds what the contract says about a request that chi has routed.
func (c *Contract) route(r *http.Request) *routers.Route {
	pattern := chi.RouteContext(r.Context()).RoutePattern()
	item := c.Spec.Paths.Find(pattern)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // which serves it
	}
	return &routers.Route{Spec: c.Spec, Path: pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)}
}

// NeedsToken reports whether the operation is for those signed in.
func (c *Contract) NeedsToken(r *http.Request) bool {
	security := c.Spec.Security
	if own := c.route(r).Operation.Security; own != nil {
		security = *own
	}
	return len(security) > 0
}

// Check reports what is wrong with a request that chi has routed, as a problem.
// Its body can be read again.
func (c *Contract) Check(w http.ResponseWriter, r *http.Request) error {
	if err := checkText(r); err != nil {
		return err
	}
	route := c.route(r)
	excludeBody := true
	var body []byte
	if content := requestContent(route.Operation); content != "" {
		if err := checkMediaType(r, content); err != nil {
			return err
		}
		if excludeBody = content != typeJSON || slices.Contains(c.streams, route.Path); !excludeBody {
			var err error
			if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON)); err != nil {
				return problem.OfBody(err)
			}
			if err := jsontext.Check(body); err != nil {
				return err
			}
			if err := checkNames(body, route.Operation); err != nil {
				return err
			}
		}
	}
	// The validator reads the request's body, or, without one, looks at none.
	probe := r.Clone(r.Context())
	probe.Body, probe.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: probe, PathParams: pathParams(r), Route: route,
		Options: &openapi3filter.Options{ExcludeRequestBody: excludeBody, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true},
	})
	if err != nil {
		return broken(err)
	}
	if !excludeBody {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return nil
}

// requestContent is the media type that the operation takes, "" for none.
func requestContent(op *openapi3.Operation) string {
	if op.RequestBody == nil {
		return ""
	}
	if op.RequestBody.Value.Content.Get(typeOctets) != nil {
		return typeOctets
	}
	return typeJSON
}

// checkMediaType lets bytes go unlabelled, as curl sends them, but not JSON.
func checkMediaType(r *http.Request, want string) error {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return mediaType("Content-Encoding", "bodies are taken as they are, without a coding")
	}
	header := r.Header.Get("Content-Type")
	if header == "" && want == typeOctets {
		return nil
	}
	got, _, err := mime.ParseMediaType(header)
	if err != nil || got != want {
		return mediaType("Content-Type", "must be "+want)
	}
	return nil
}

func mediaType(field, reason string) error {
	return &problem.Problem{Kind: problem.MediaType, Field: field, Detail: field + ": " + reason}
}

// Unescape is a path's parameter as it was meant, where paths are routed as
// they were escaped.
func Unescape(escaped string) string {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return escaped
	}
	return plain
}

// checkText refuses a path or query whose bytes, once unescaped, are not UTF-8,
// and a query that readers do not agree on.
func checkText(r *http.Request) error {
	for name, value := range pathParams(r) {
		if !utf8.ValidString(value) {
			return problem.Field(name, "not UTF-8")
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem.Field("query", "not escaped as a query must be").Because(err)
	}
	for name, values := range query {
		for _, value := range values {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				return problem.Field("query", "not UTF-8")
			}
		}
	}
	return nil
}

// pathParams are the path's parameters, unescaped.
func pathParams(r *http.Request) map[string]string {
	params := map[string]string{}
	in := chi.RouteContext(r.Context()).URLParams
	for i, key := range in.Keys {
		params[key] = Unescape(in.Values[i])
	}
	return params
}

// broken names the field that breaks the contract.
func broken(err error) error {
	field := "body"
	var request *openapi3filter.RequestError
	if errors.As(err, &request) && request.Parameter != nil {
		field = request.Parameter.Name
	}
	reason := "not as the contract has it"
	var schema *openapi3.SchemaError
	var parse *openapi3filter.ParseError
	switch {
	case errors.As(err, &schema):
		if path := schema.JSONPointer(); len(path) > 0 && field == "body" {
			field = strings.Join(path, ".")
		}
		reason = schema.Reason
	case errors.As(err, &parse):
		reason = "not of the right type"
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		reason = "missing"
	}
	return problem.Field(field, reason).Because(err)
}

// checkNames refuses a member whose name differs from one in the contract only
// in case: the validator treats it as another, while encoding/json would accept
// it.
func checkNames(body []byte, op *openapi3.Operation) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil // no object, which the validator refuses
	}
	for known := range op.RequestBody.Value.Content.Get(typeJSON).Schema.Value.Properties {
		for name := range members {
			if name != known && strings.EqualFold(name, known) {
				return problem.Field(name, "must be written "+known)
			}
		}
	}
	return nil
}

// Decode reads a body that has been checked. What is wrong with it is a problem.
func Decode[T any](r *http.Request) (T, error) {
	var v T
	err := json.NewDecoder(r.Body).Decode(&v)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return v, problem.Field(wrongType.Field, "not of the right type").Because(err)
	}
	if err != nil {
		return v, problem.OfBody(err)
	}
	return v, nil
}
