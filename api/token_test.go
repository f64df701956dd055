package api

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coffer/internal/problem"
	"coffer/protocol"
)

func testTokens(t testing.TB, secret byte, ttl time.Duration) *tokens {
	t.Helper()
	tokens, err := newTokens(bytes.Repeat([]byte{secret}, minSecret), ttl)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestTokenIsReadAsIssued(t *testing.T) {
	tokens := testTokens(t, 1, time.Hour)
	for _, c := range []caller{
		{username: "by name"},
		{username: "by id", proof: byClientID, client: protocol.ClientID{1, 2, 3}},
		{username: "פסמה", proof: byPassword, client: protocol.ClientID{0xff}},
	} {
		text, err := tokens.issue(c, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got, err := tokens.read(text)
		if err != nil {
			t.Fatal(err)
		}
		if got.username != c.username || got.proof != c.proof || got.client != c.client || got.token == (protocol.TokenID{}) {
			t.Errorf("%q came back as another", c.username)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if id := formatClientID(c.client); strings.Contains(string(payload), id) || strings.Contains(string(payload), strings.ReplaceAll(id, "-", "")) {
			t.Errorf("the token of %q shows the client id", c.username)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	tokens := testTokens(t, 1, time.Hour)
	sign := func(method jwt.SigningMethod, key any, change func(*claims)) string {
		c := claims{RegisteredClaims: jwt.RegisteredClaims{Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenAudience},
			Subject: "somebody", ID: strings.Repeat("ab", 16), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}}
		change(&c)
		text, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	plain := func(*claims) {}
	if _, err := tokens.read(sign(jwt.SigningMethodHS256, tokens.key, plain)); err != nil {
		t.Fatalf("the token that the others differ from: %v", err)
	}
	one, err := tokens.issue(caller{username: "one", proof: byPassword}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var m claims
	if _, _, err := tokens.parser.ParseUnverified(one, &m); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"empty":                    "",
		"garbage":                  "a.b.c",
		"another key":              sign(jwt.SigningMethodHS256, testTokens(t, 2, time.Hour).key, plain),
		"the secret itself as key": sign(jwt.SigningMethodHS256, bytes.Repeat([]byte{1}, minSecret), plain),
		"alg none":                 sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, plain),
		"HS512":                    sign(jwt.SigningMethodHS512, tokens.key, plain),
		"expired":                  sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }),
		"no expiry":                sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.ExpiresAt = nil }),
		"another issuer":           sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.Issuer = "another" }),
		"another audience":         sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.Audience = jwt.ClaimStrings{"another"} }),
		"no subject":               sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.Subject = "" }),
		"no id":                    sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.ID = "" }),
		"id of another length":     sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.ID = "abcd" }),
		"another's identity":       sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.Identity = m.Identity }),
		"identity of nothing":      sign(jwt.SigningMethodHS256, tokens.key, func(c *claims) { c.Identity = "AAAA" }),
	}
	for name, text := range tests {
		if c, err := tokens.read(text); err == nil {
			t.Errorf("%s: taken, for %q", name, c.username)
		} else if asProblem(err).Kind != problem.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64",
		"2001:db8:0:1::1": "2001:db8:0:1::/64", "@": "@"} {
		if got := network(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
