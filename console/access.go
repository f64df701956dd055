package console

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	cookieName = "coffer_console"
	// A session ends after so long without a call, and its cookie is made anew
	// once it is older than the other.
	sessionTTL   = 24 * time.Hour
	sessionFresh = time.Hour
)

// A Token is what the operator proves themselves with.
type Token [32]byte

// text is the token as a person passes it on.
func (t Token) text() string { return hex.EncodeToString(t[:]) }

// access decides who may come in. A cookie says until when it is good, under a
// key that is derived from the token: sessions outlive the process, so that a
// page goes on where it was after a restart, and end with the token.
type access struct {
	token string
	key   []byte
	wrong *rate.Limiter // answers to wrong tokens

	mu      sync.Mutex
	revoked map[nonce]time.Time // sessions that were signed out of, until they would end; guarded by mu
}

type nonce [16]byte

func newAccess(t Token) (*access, error) {
	key, err := hkdf.Key(sha256.New, t[:], nil, "coffer console session", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &access{token: t.text(), key: key, wrong: rate.NewLimiter(2, 5), revoked: make(map[nonce]time.Time)}, nil
}

var errWrongToken = errors.New("the token is wrong")

// check compares a token. The answer to a wrong one waits its turn: it takes
// longer the more there are, and a caller may only wait for so long.
func (a *access) check(ctx context.Context, token string) error {
	if subtle.ConstantTimeCompare([]byte(token), []byte(a.token)) == 1 {
		return nil
	}
	const longest = 3 * time.Second
	turn := a.wrong.Reserve()
	delay := turn.Delay()
	if delay > longest {
		turn.Cancel()
		return &problem{status: http.StatusTooManyRequests, detail: "too many wrong tokens; wait a little", retryAfter: int(math.Ceil(longest.Seconds()))}
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return errWrongToken
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A session is what a cookie says.
type session struct {
	nonce nonce
	ends  time.Time
}

// sessionSize is a cookie's size before it is encoded: nonce, end in Unix
// seconds, authentication code.
const sessionSize = len(nonce{}) + 8 + sha256.Size

func (a *access) seal(s session) string {
	b := append(make([]byte, 0, sessionSize), s.nonce[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.ends.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, a.code(b)...))
}

func (a *access) code(b []byte) []byte {
	m := hmac.New(sha256.New, a.key)
	m.Write(b)
	return m.Sum(nil)
}

// open reads a cookie's value. What is forged, over or signed out is no session.
func (a *access) open(value string, now time.Time) (s session, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) != sessionSize {
		return s, false
	}
	said, code := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(code, a.code(said)) {
		return s, false
	}
	s.nonce = nonce(said[:len(nonce{})])
	s.ends = time.Unix(int64(binary.BigEndian.Uint64(said[len(nonce{}):])), 0)
	a.mu.Lock()
	defer a.mu.Unlock()
	_, gone := a.revoked[s.nonce]
	return s, !gone && now.Before(s.ends)
}

// revoke ends a session.
func (a *access) revoke(s session, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for old, ends := range a.revoked {
		if now.After(ends) {
			delete(a.revoked, old)
		}
	}
	// It may have been made anew meanwhile, with a later end.
	a.revoked[s.nonce] = now.Add(sessionTTL)
}

// admit reports whether a call is of somebody who is signed in, by cookie or by
// the token itself, and makes the cookie of one who stays anew.
func (a *access) admit(w http.ResponseWriter, r *http.Request) error {
	if token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); given {
		return a.check(r.Context(), token)
	}
	now := time.Now()
	s, ok := a.sessionOf(r, now)
	if !ok {
		return &problem{status: http.StatusUnauthorized, detail: "you are not signed in; open the link that the server printed as it started, or sign in with the token"}
	}
	if s.ends.Sub(now) < sessionTTL-sessionFresh {
		s.ends = now.Add(sessionTTL)
		a.set(w, r, s)
	}
	return nil
}

func (a *access) sessionOf(r *http.Request, now time.Time) (session, bool) {
	for _, cookie := range r.CookiesNamed(cookieName) { // another console of this machine may have one too
		if s, ok := a.open(cookie.Value, now); ok {
			return s, true
		}
	}
	return session{}, false
}

// signIn begins a session.
func (a *access) signIn(w http.ResponseWriter, r *http.Request) {
	s := session{ends: time.Now().Add(sessionTTL)}
	rand.Read(s.nonce[:]) // never fails
	a.set(w, r, s)
}

func (a *access) set(w http.ResponseWriter, r *http.Request, s session) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: a.seal(s), Path: "/", Expires: s.ends,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

// signOut ends the caller's session, if there is one.
func (a *access) signOut(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	if s, ok := a.sessionOf(r, now); ok {
		a.revoke(s, now)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

// knownHost reports whether a request was meant for this console. A name of
// somebody else's, which they had resolve to this machine, would make their
// pages this console's in the eyes of a browser.
func knownHost(r *http.Request, names []string) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || slices.Contains(names, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return false
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if ip.IsLoopback() || local == nil {
		return ip.IsLoopback()
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == ip.Unmap().WithZone("")
}

// foreign reports whether a browser says that a request comes from another
// origin. Cookies do not tell: to them all ports of a machine are one site.
func foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return true
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || strings.HasPrefix(r.URL.Path, "/api/")
}
