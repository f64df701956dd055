package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"coffer/protocol"
	"coffer/server/metrics"
	"coffer/store"
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

// How a request ended follows from its error alone; who is gone is not refused.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want metrics.Outcome
	}{
		{nil, metrics.Served},
		{errNoSession, metrics.Refused},
		{fmt.Errorf("%w: %w", errNoSession, store.ErrNoClient), metrics.Refused},
		{errSilent, metrics.Refused},
		{lostError{errSuspended}, metrics.Lost},
		{errors.Join(errPacketZero, lostError{context.Canceled}), metrics.Lost},
		{store.ErrFull, metrics.Failed},
	} {
		if got := outcomeOf(tt.err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}

// A refusal is answered as its request can be: base requests give no reason,
// unless it has a response of its own.
func TestRefusalsAreAnswered(t *testing.T) {
	denied := &protocol.ReconnectDenied{}
	for _, tt := range []struct {
		refused *refusal
		code    protocol.Code
		want    protocol.Code // 0: no answer
	}{
		{errNoSession, protocol.CodeSendFile, protocol.CodeError},
		{errNoSession, 828, protocol.CodeError},
		{errUnknownCode, 4242, protocol.CodeError},
		{errNoSession, protocol.CodeProve, protocol.CodeFailure},
		{errWrongName.replying(denied), protocol.CodeReconnect, protocol.CodeReconnectDenied},
		{errSilent, protocol.CodeSendFile, 0},
	} {
		got := protocol.Code(0)
		if m := tt.refused.answer(tt.code); m != nil {
			got = m.Code()
		}
		if got != tt.want {
			t.Errorf("%v to %v is answered with %v, want %v", tt.refused, tt.code, got, tt.want)
		}
	}
	if errWrongName.reply != nil || errTooLarge.hangingUp() == errTooLarge {
		t.Error("a refusal that is shared was changed")
	}
}
