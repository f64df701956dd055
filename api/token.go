package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coffer/internal/problem"
	"coffer/protocol"
)

const (
	tokenIssuer   = "coffer-gateway"
	tokenAudience = "coffer-api"
	minSecret     = 32
)

// How the holder of a token has shown who they are.
type proof byte

const (
	byName     proof = iota // not at all: each call must bear the client id
	byClientID              // an account without a password
	byPassword
)

// A caller is who a token was given to.
type caller struct {
	username string
	proof    proof
	client   protocol.ClientID // unless proof is byName
	token    protocol.TokenID
	issued   time.Time // by the core's clock
	signedIn time.Time // by a gateway's
	expires  time.Time
}

// tokens makes and reads session tokens: JWTs, HS256. The client id in one is
// sealed, so that a token that leaked reveals none.
type tokens struct {
	key    []byte
	seal   cipher.AEAD
	ttl    time.Duration
	parser *jwt.Parser
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Identity string `json:"identity,omitempty"` // proof and client id, sealed
	Issued   int64  `json:"issued_us"`          // microseconds since 1970 by the core's clock, which is what revocations go by
}

func newTokens(secret []byte, ttl time.Duration) (*tokens, error) {
	signing, err := hkdf.Key(sha256.New, secret, nil, "coffer gateway: token signatures", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the signing key: %w", err)
	}
	sealing, err := hkdf.Key(sha256.New, secret, nil, "coffer gateway: identities in tokens", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &tokens{key: signing, seal: aead, ttl: ttl, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(tokenIssuer),
		jwt.WithAudience(tokenAudience), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
	)}, nil
}

// issue makes a token; its id and expiry are new. It counts as issued at a
// moment that the core gave.
func (t *tokens) issue(c caller, issued time.Time) (string, error) {
	rand.Read(c.token[:])
	now := time.Now()
	m := claims{Issued: issued.UnixMicro(), RegisteredClaims: jwt.RegisteredClaims{
		Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenAudience}, Subject: c.username,
		ID: hex.EncodeToString(c.token[:]), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(t.ttl)),
	}}
	if c.proof != byName {
		sealed := t.seal.Seal(nil, nil, append([]byte{byte(c.proof)}, c.client[:]...), m.bound())
		m.Identity = base64.RawURLEncoding.EncodeToString(sealed)
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, m).SignedString(t.key)
}

// bound is what an identity is sealed to, so that it opens in no other token.
func (m *claims) bound() []byte { return []byte(m.ID + "\x00" + m.Subject) }

// read checks a token and returns who holds it. Whether it was revoked only
// the core knows.
func (t *tokens) read(text string) (caller, error) {
	var m claims
	if _, err := t.parser.ParseWithClaims(text, &m, func(*jwt.Token) (any, error) { return t.key, nil }); err != nil {
		if errors.Is(err, jwt.ErrTokenExpired) {
			return caller{}, unauthenticated("the session token has expired; sign in again")
		}
		return caller{}, unauthenticated("the session token is not valid; sign in again")
	}
	c := caller{username: m.Subject, issued: time.UnixMicro(m.Issued), expires: m.ExpiresAt.Time}
	if m.IssuedAt != nil {
		c.signedIn = m.IssuedAt.Time
	}
	id, err := hex.DecodeString(m.ID)
	if err != nil || len(id) != len(c.token) || m.Subject == "" {
		return caller{}, unauthenticated("the session token is not valid; sign in again")
	}
	copy(c.token[:], id)
	if m.Identity == "" {
		return c, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(m.Identity)
	if err == nil {
		sealed, err = t.seal.Open(nil, nil, sealed, m.bound())
	}
	if err != nil || len(sealed) != 1+len(c.client) {
		return caller{}, unauthenticated("the session token is not valid; sign in again")
	}
	c.proof = proof(sealed[0])
	copy(c.client[:], sealed[1:])
	return c, nil
}

func unauthenticated(message string) *problem.Problem {
	return problem.New(problem.Unauthenticated, message)
}
