package metrics

import (
	"testing"

	"coffer/protocol"
)

// Whatever code a header has, it is counted, each request in a place of its own.
func TestRequestsAreCounted(t *testing.T) {
	m := New()
	for n := range 1 << 16 {
		code := protocol.Code(n)
		m.Count(code, Served)
		if code.IsRequest() && code == code.Canonical() && (code < firstCode || code > lastCode) {
			t.Errorf("%v shares the place of codes that are no requests", code)
		}
	}
}
