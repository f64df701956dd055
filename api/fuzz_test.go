package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coffer/internal/httpkit"
	"coffer/internal/openapi"
	"coffer/internal/problem"
)

// FuzzToken reads the input as a token, and as the payload of one that is
// signed as it should be. Neither shows who somebody is unless the gateway
// issued it.
func FuzzToken(f *testing.F) {
	secret := testTokens(f, 1, time.Hour)
	issued, err := secret.issue(caller{username: "alice", proof: byPassword}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(issued, ".")
	f.Add(issued)
	f.Add(parts[1])
	f.Add(`{"iss":"coffer-gateway","aud":"coffer-api","sub":"a","exp":99999999999,"jti":"` + strings.Repeat("ab", 16) + `"}`)
	f.Add(`{"iss":"coffer-gateway","aud":["coffer-api"],"sub":"a","exp":1e99,"jti":"","identity":"AA"}`)
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := secret.read(text); err == nil && c.username != "alice" {
			t.Fatalf("%q: taken, for %q", text, c.username)
		}
		payload := jwt.New(jwt.SigningMethodHS256).EncodeSegment([]byte(text))
		signed := parts[0] + "." + payload
		signature, err := jwt.SigningMethodHS256.Sign(signed, secret.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := secret.read(signed + "." + jwt.New(jwt.SigningMethodHS256).EncodeSegment(signature))
		if err != nil {
			if asProblem(err).Kind != problem.Unauthenticated {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if c.username == "" || c.proof != byName && payload != parts[1] {
			t.Fatalf("%q: taken, for %+v", text, c)
		}
	})
}

// FuzzAddress: what X-Forwarded-For says counts only from trusted proxies, and
// whatever it says, the outcome is an address.
func FuzzAddress(f *testing.F) {
	g := &Gateway{cfg: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	for _, header := range []string{"", "192.0.2.1", "192.0.2.1, 10.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1, ::ffff:192.0.2.1", ",,", "unknown", "192.0.2.1:80"} {
		f.Add(header, "10.1.2.3:4")
		f.Add(header, "[2001:db8::1]:4")
	}
	f.Fuzz(func(t *testing.T, header, remote string) {
		from, err := netip.ParseAddrPort(remote)
		if err != nil {
			return // the server makes no others
		}
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {header}}}
		got, err := netip.ParseAddr(g.address(r))
		if err != nil || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q behind %s: %q", header, remote, g.address(r))
		}
		if plain := from.Addr().Unmap().WithZone(""); !holds(g.cfg.TrustedProxies, from.Addr()) && got != plain {
			t.Fatalf("%q turned %s into %s", header, plain, got)
		}
	})
}

// FuzzPath asks for any path: the answer is one of the gateway's own, and a
// name in a path is the one that was escaped.
func FuzzPath(f *testing.F) {
	cfg := DefaultConfig()
	cfg.Core, cfg.Secret, cfg.Log = "127.0.0.1:1", []byte(strings.Repeat("x", minSecret)), slog.New(slog.DiscardHandler)
	cfg.Rate = Rate{PerSecond: 1e9, Burst: 1e9}
	g, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(g.Close)
	for _, name := range []string{"a", "a/b", "a b", "%", "%2F", "..", "ü", "upload", "a\x00b", "?#", "\xff", "//", ";,=+"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, path := range []string{"/" + name, "/api/v1/files/" + url.PathEscape(name), "/api/v1/files/" + name + "/content", "/api/v1/uploads/" + name} {
			u, err := url.ParseRequestURI(path)
			if err != nil {
				continue // the server refuses it
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, &http.Request{Method: "GET", URL: u, RequestURI: path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{}, Body: http.NoBody, RemoteAddr: "192.0.2.1:1"})
			if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
				t.Fatalf("%q: %d %s", path, w.Code, w.Body)
			}
			if w.Code >= 400 && (w.Header().Get("Content-Type") != httpkit.TypeProblem || !json.Valid(w.Body.Bytes())) {
				t.Fatalf("%q: %d %q %s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		}
		if got := openapi.Unescape(url.PathEscape(name)); got != name {
			t.Fatalf("%q came out as %q", name, got)
		}
	})
}

// FuzzFields: a client id or a checksum that is read is written again as it
// was.
func FuzzFields(f *testing.F) {
	for _, text := range []string{"6f1c7a52-0b0e-4f0d-9d3c-0c4d1c9a7b21", "----6f1c7a520b0e4f0d9d3c0c4d1c9a7b21", strings.Repeat("-", 36),
		"0x00000000", "0XFFFFFFFF", "4294967295", "-1", "+1", "0x", "1_0", "010", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := parseClientID("client_id", text); err == nil && formatClientID(*id) != strings.ToLower(text) {
			t.Fatalf("%q came back as another id", text)
		}
		sum, err := parseChecksum("client_crc", text)
		if err != nil {
			return
		}
		if again, err := parseChecksum("client_crc", formatChecksum(sum)); err != nil || again != sum || strings.ContainsAny(text, "_+-. ") {
			t.Fatalf("%q: %d, and then %d, %v", text, sum, again, err)
		}
	})
}
