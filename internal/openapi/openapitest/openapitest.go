// Package openapitest holds a server's answers against an OpenAPI document. It
// is for the servers' tests.
package openapitest

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// A Contract says what answers must look like.
type Contract struct{ router routers.Router }

// New makes a contract of a document.
func New(t testing.TB, spec *openapi3.T) *Contract {
	t.Helper()
	router, err := gorillamux.NewRouter(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &Contract{router}
}

// Check fails the test if the contract does not describe the answer to a
// request, whose body was content. Calls that it does not know are passed over.
func (c *Contract) Check(t testing.TB, request *http.Request, response *http.Response, content []byte) {
	t.Helper()
	route, params, err := c.router.FindRoute(request)
	if err != nil || request.Method == http.MethodOptions {
		return
	}
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	isJSON := err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route},
		Status:                 response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(content)),
		Options: &openapi3filter.Options{ExcludeResponseBody: !isJSON},
	})
	if err != nil {
		t.Errorf("%s %s: the contract does not describe this answer: %v", request.Method, route.Path, err)
	}
}
