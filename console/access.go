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
	"fmt"
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

	"coffer/internal/httpkit"
	"coffer/internal/problem"
)

const (
	cookieName = "coffer_console"
	// A session ends this long after its sign-in, however busy it was.
	sessionTTL = 12 * time.Hour
)

// A Token is what the operator proves themselves with.
type Token [32]byte

// text is the token as a person passes it on.
func (t Token) text() string { return hex.EncodeToString(t[:]) }

// ended knows the sessions that were signed out of. It outlives the process.
type ended interface {
	EndConsoleSession(ctx context.Context, id [16]byte, expires time.Time) error
	ConsoleSessionEnded(id [16]byte) bool
}

// access decides who may come in. A cookie contains the end of its session,
// under a key derived from the token: sessions outlive the process, so that a
// page continues after a restart, and end with the token.
type access struct {
	token string
	key   []byte
	ended ended
	wrong *rate.Limiter // answers to wrong tokens

	mu   sync.Mutex
	busy map[nonce]map[*call]struct{} // calls under way of each session; guarded by mu
}

// A nonce distinguishes sessions.
type nonce [16]byte

// A call is under way for a session, and is cut off with it.
type call struct{ cancel context.CancelFunc }

func newAccess(t Token, ended ended) (*access, error) {
	// A cookie of the first version could be made anew for ever.
	key, err := hkdf.Key(sha256.New, t[:], nil, "coffer console session v2", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &access{token: t.text(), key: key, ended: ended, wrong: rate.NewLimiter(2, 5), busy: make(map[nonce]map[*call]struct{})}, nil
}

var errWrongToken = errors.New("the token is wrong")

// check compares a token. Answers to wrong tokens wait their turn: they take
// longer the more there are, but a caller waits only for a limited time.
func (a *access) check(ctx context.Context, token string) error {
	if subtle.ConstantTimeCompare([]byte(token), []byte(a.token)) == 1 {
		return nil
	}
	const longest = 3 * time.Second
	turn := a.wrong.Reserve()
	delay := turn.Delay()
	if delay > longest {
		turn.Cancel()
		return &problem.Problem{Kind: problem.Rate, Detail: "too many wrong tokens; wait a little", RetryAfter: int(math.Ceil(longest.Seconds()))}
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
	return s, now.Before(s.ends) && !a.ended.ConsoleSessionEnded(s.nonce)
}

// admit reports whether a caller is signed in, by cookie or by the token
// itself. The context that it returns ends with the session, so that a stream
// does, too; release gives it up.
func (a *access) admit(r *http.Request) (ctx context.Context, release func(), err error) {
	if token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); given {
		return r.Context(), func() {}, a.check(r.Context(), token)
	}
	s, ok := a.sessionOf(r, time.Now())
	if !ok {
		return nil, nil, problem.New(problem.Unauthenticated, "you are not signed in; open the link that the server printed as it started, or sign in with the token")
	}
	ctx, release = a.during(r.Context(), s)
	return ctx, release, nil
}

// during makes a context that ends with a session.
func (a *access) during(ctx context.Context, s session) (context.Context, func()) {
	ctx, cancel := context.WithDeadline(ctx, s.ends)
	one := &call{cancel}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy[s.nonce] == nil {
		a.busy[s.nonce] = make(map[*call]struct{})
	}
	a.busy[s.nonce][one] = struct{}{}
	if a.ended.ConsoleSessionEnded(s.nonce) { // since it was looked at
		cancel()
	}
	return ctx, func() {
		cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.busy[s.nonce], one)
		if len(a.busy[s.nonce]) == 0 {
			delete(a.busy, s.nonce)
		}
	}
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
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: a.seal(s), Path: "/", Expires: s.ends,
		HttpOnly: true, Secure: httpkit.ByTLS(r), SameSite: http.SameSiteStrictMode})
}

// signOut ends the caller's sessions, for good, and what they have under way.
func (a *access) signOut(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: httpkit.ByTLS(r), SameSite: http.SameSiteStrictMode})
	for {
		s, ok := a.sessionOf(r, time.Now())
		if !ok {
			return nil
		}
		if err := a.ended.EndConsoleSession(r.Context(), s.nonce, s.ends); err != nil {
			return fmt.Errorf("keep that the session has ended: %w", err)
		}
		a.mu.Lock()
		for one := range a.busy[s.nonce] {
			one.cancel()
		}
		a.mu.Unlock()
	}
}

// knownHost reports whether a request was meant for this console. Otherwise an
// attacker could point a name at this machine, and a browser would treat the
// attacker's pages as the console's.
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
// origin. Cookies do not: for them all ports of a machine are one site.
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
