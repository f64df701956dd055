package server

import (
	"slices"
	"testing"

	"coffer/protocol"
)

// Every request of the protocol has a handler, and nothing else has one.
func TestEveryRequestIsServed(t *testing.T) {
	requests := protocol.Requests()
	for _, code := range requests {
		if handlers[code] == nil {
			t.Errorf("nothing serves %v", code)
		}
	}
	for code := range handlers {
		if !slices.Contains(requests, code) {
			t.Errorf("%v is served and is no request", code)
		}
	}
	if len(requests) == 0 {
		t.Error("there are no requests")
	}
}
