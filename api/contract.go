package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/go-chi/chi/v5"
)

const (
	typeJSON   = "application/json"
	typeOctets = "application/octet-stream"
	pathUpload = "/api/v1/files/upload" // its JSON is a stream
	// Bodies in JSON, but for those of uploads, are small and flat.
	maxJSON   = 128 << 10
	maxNested = 16
)

// A contract is openapi.yaml, which says what requests must look like. Bodies
// of uploads are streams and not its business.
type contract struct {
	spec *openapi3.T
	json []byte
}

func loadContract() (*contract, error) {
	spec, err := GetSpec()
	if err != nil {
		return nil, fmt.Errorf("read the embedded contract: %w", err)
	}
	text, err := GetSpecJSON()
	if err != nil {
		return nil, fmt.Errorf("read the embedded contract: %w", err)
	}
	return &contract{spec: spec, json: text}, nil
}

// route finds what the contract says about a request that chi has routed.
func (c *contract) route(r *http.Request) *routers.Route {
	pattern := chi.RouteContext(r.Context()).RoutePattern()
	item := c.spec.Paths.Find(pattern)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // which serves it
	}
	return &routers.Route{Spec: c.spec, Path: pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)}
}

// needsToken reports whether the operation is for those signed in.
func (c *contract) needsToken(r *http.Request) bool {
	security := c.spec.Security
	if own := c.route(r).Operation.Security; own != nil {
		security = *own
	}
	return len(security) > 0
}

// validate lets only requests pass that the contract allows.
func (g *Gateway) validate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.contract.check(w, r); err != nil {
			g.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (c *contract) check(w http.ResponseWriter, r *http.Request) error {
	route := c.route(r)
	excludeBody := true
	var body []byte
	if content := requestContent(route.Operation); content != "" {
		if err := checkMediaType(r, content); err != nil {
			return err
		}
		if excludeBody = content != typeJSON || route.Path == pathUpload; !excludeBody {
			var err error
			if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON)); err != nil {
				return bodyProblem(err)
			}
			if err := checkJSON(body); err != nil {
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
		return contractProblem(err)
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
	header := r.Header.Get("Content-Type")
	if header == "" && want == typeOctets {
		return nil
	}
	got, _, err := mime.ParseMediaType(header)
	if err != nil || got != want {
		return &problem{kind: kindMediaType, message: "Content-Type: must be " + want}
	}
	return nil
}

// pathParams are the path's parameters, unescaped.
func pathParams(r *http.Request) map[string]string {
	params := map[string]string{}
	in := chi.RouteContext(r.Context()).URLParams
	for i, key := range in.Keys {
		params[key] = unescape(in.Values[i])
	}
	return params
}

// contractProblem names the field that breaks the contract. What it held is
// not repeated: it may be secret.
func contractProblem(err error) error {
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
	return &problem{kind: kindInvalid, message: field + ": " + reason, cause: err}
}

// badParameter answers for a parameter that the generated code cannot read.
func (g *Gateway) badParameter(w http.ResponseWriter, r *http.Request, err error) {
	field := "parameter"
	var format *InvalidParamFormatError
	var values *TooManyValuesForParamError
	switch {
	case errors.As(err, &format):
		field = format.ParamName
	case errors.As(err, &values):
		field = values.ParamName
	}
	g.fail(w, r, &problem{kind: kindInvalid, message: field + ": not of the right type, or given more than once", cause: err})
}

// checkJSON lets one JSON value pass that is not nested deeply and in which no
// object has a member twice: two readers would not agree on what it says.
func checkJSON(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return invalid("body", "missing")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := checkValue(d, maxNested); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("body", "more after the JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return badJSON(d)
	}
	open, composite := token.(json.Delim)
	if !composite {
		return nil
	}
	if depth == 0 {
		return invalid("body", "nested too deeply")
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return badJSON(d)
			}
			key, _ := name.(string)
			if seen[key] {
				return invalid(key, "given twice")
			}
			seen[key] = true
		}
		if err := checkValue(d, depth-1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return badJSON(d)
	}
	return nil
}

// checkNames refuses a member that differs from one of the contract's in case
// alone: to the validator it is another, while encoding/json would take it.
func checkNames(body []byte, op *openapi3.Operation) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil // no object, which the validator refuses
	}
	for known := range op.RequestBody.Value.Content.Get(typeJSON).Schema.Value.Properties {
		for name := range members {
			if name != known && strings.EqualFold(name, known) {
				return invalid(name, "must be written "+known)
			}
		}
	}
	return nil
}

func badJSON(d *json.Decoder) error {
	return invalid("body", fmt.Sprintf("not JSON, or cut off, at byte %d", d.InputOffset()))
}

// decode reads a body that has been validated.
func decode[T any](r *http.Request) (T, error) {
	var v T
	err := json.NewDecoder(r.Body).Decode(&v)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return v, &problem{kind: kindInvalid, message: wrongType.Field + ": not of the right type", cause: err}
	}
	if err != nil {
		return v, bodyProblem(err)
	}
	return v, nil
}
