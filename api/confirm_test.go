package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"coffer/internal/problem"
)

// A token alone stops being enough 5 minutes after the sign-in, whatever proved
// it; one that carries no identity comes with the client id in the call.
func TestConfirm(t *testing.T) {
	g := &Gateway{}
	for _, test := range []struct {
		name  string
		proof proof
		age   time.Duration
		again bool
	}{
		{"just signed in with the password", byPassword, time.Minute, false},
		{"just signed in with the client id", byClientID, 4 * time.Minute, false},
		{"an hour ago with the password", byPassword, time.Hour, true},
		{"long ago with the client id", byClientID, 6 * time.Minute, true},
		{"a token that never said when", byPassword, time.Since(time.Time{}), true},
		{"with the client id in each call", byName, time.Hour, false},
	} {
		r := httptest.NewRequest("PUT", "/api/v1/keys/bundle", nil)
		c := caller{username: "ada", proof: test.proof, signedIn: time.Now().Add(-test.age)}
		err := g.confirm(r.WithContext(context.WithValue(r.Context(), callerKey{}, c)), "password", "")
		var p *problem.Problem
		if again := errors.As(err, &p) && p.Kind == problem.SignInAgain; again != test.again || !again && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A name is slowed, never refused, and not at all where it has succeeded.
func TestSignInLimit(t *testing.T) {
	s := newSignInLimit(Rate{PerSecond: 0.001, Burst: 3})
	for range 3 {
		if d := s.slow("ada"); d != 0 {
			t.Errorf("within the allowance: %v", d)
		}
	}
	for range 50 {
		if d := s.slow("ada"); d != slowest {
			t.Errorf("beyond it: %v, want %v", d, slowest)
		}
	}
	s.succeeded("192.0.2.1", "ada")
	began := time.Now()
	for range 3 {
		if err := s.check(t.Context(), "192.0.2.1", "ada"); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took >= slowest {
		t.Errorf("where it succeeded before it took %v", took)
	}
	if err := s.check(t.Context(), "192.0.2.1", "ada"); err == nil {
		t.Error("there is no end to tries where one succeeded")
	}
	if err := s.check(t.Context(), "192.0.2.1", "eve"); err != nil {
		t.Errorf("another name from there: %v", err)
	}
}
