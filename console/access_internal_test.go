package console

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzCookie: no value is a session but one that was sealed here.
func FuzzCookie(f *testing.F) {
	a, err := newAccess(Token{1}, forgetful{})
	if err != nil {
		f.Fatal(err)
	}
	// Seeds are made by one process and tried by another, maybe a second later.
	now := time.Unix(1_800_000_000, 0)
	good := a.seal(session{ends: now.Add(time.Hour)})
	for _, value := range []string{good, good[:40], good + "A", strings.Repeat("A", len(good)), strings.ToUpper(good), ""} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if s, ok := a.open(value, now); ok && (value != good || !s.ends.After(now)) {
			t.Fatalf("%q is a session: %+v", value, s)
		}
	})
}

// forgetful keeps no ended sessions.
type forgetful struct{}

func (forgetful) EndConsoleSession(context.Context, [16]byte, time.Time) error {
	return errors.ErrUnsupported
}

func (forgetful) ConsoleSessionEnded([16]byte) bool { return false }

// A session ends 12 hours after its sign-in: no call makes it longer.
func TestSessionEnds(t *testing.T) {
	a, err := newAccess(Token{1}, forgetful{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	value := a.seal(session{ends: now.Add(sessionTTL)})
	if _, ok := a.open(value, now.Add(12*time.Hour-time.Minute)); !ok {
		t.Error("it ends too early")
	}
	if _, ok := a.open(value, now.Add(12*time.Hour+time.Second)); ok {
		t.Error("it does not end")
	}
	for _, age := range []time.Duration{0, time.Hour, 11 * time.Hour} {
		r := httptest.NewRequest("GET", "/api/stats", nil)
		ends := time.Now().Add(12*time.Hour - age).Truncate(time.Second)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: a.seal(session{ends: ends})})
		ctx, release, err := a.admit(r)
		if err != nil {
			t.Fatal(err)
		}
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(ends) {
			t.Errorf("after %v a stream ends %v, want %v", age, deadline, ends)
		}
		release()
	}
	if len(a.busy) > 0 {
		t.Errorf("calls that are over are remembered: %v", a.busy)
	}
	// Signing out that cannot be kept is said to have failed.
	r := httptest.NewRequest("DELETE", "/api/session", nil)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: value})
	if err := a.signOut(httptest.NewRecorder(), r); err == nil {
		t.Error("a sign-out that was not kept passes for one")
	}
}

// FuzzHost: what passes is this machine's, or a name that was given.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost", "localhost:1", "LOCALHOST.", "127.0.0.1", "127.8.8.8:80", "[::1]:80", "::1", "192.0.2.7:1", "[::ffff:192.0.2.7]", "[::ffff:127.0.0.1]",
		"coffer.example", "coffer.example.", "coffer.example.evil", "localhost.evil", "127.0.0.1.evil", "", ":", "[", "]", "0", "0x7f000001", "192.0.2.8", "[fe80::1%eth0]:1"} {
		f.Add(host)
	}
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8090}
	r := (&http.Request{}).WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, net.Addr(local)))
	f.Fuzz(func(t *testing.T, host string) {
		r.Host = host
		if !knownHost(r, []string{"coffer.example"}) {
			return
		}
		name := host
		if n, _, err := net.SplitHostPort(host); err == nil {
			name = n
		}
		name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
		ip := net.ParseIP(name)
		if name != "localhost" && name != "coffer.example" && (ip == nil || !ip.IsLoopback() && !ip.Equal(local.IP)) {
			t.Fatalf("%q passed", host)
		}
	})
}

// The token is derived from nothing that a cookie shows.
func TestTokensDiffer(t *testing.T) {
	a, err := newAccess(Token{1}, forgetful{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := newAccess(Token{2}, forgetful{})
	if err != nil {
		t.Fatal(err)
	}
	value := a.seal(session{ends: time.Now().Add(time.Hour)})
	if _, ok := b.open(value, time.Now()); ok || strings.Contains(hex.EncodeToString(a.key), a.token[:16]) {
		t.Error("another token's session")
	}
}
