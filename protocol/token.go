package protocol

import "time"

// MaxTokenTTL is the longest that a token of a gateway's may be good.
const MaxTokenTTL = 30 * 24 * time.Hour

// A TokenID names a session token issued by a gateway.
type TokenID [16]byte

// RevokeToken revokes a session token: 1070, token id[16], expires time of the
// token, proven bool, whether it proves an identity. The core does not store
// the revocation of a token that proves none. Answered with Done.
type RevokeToken struct {
	Token   TokenID
	Expires time.Time
	Proven  bool
}

func (*RevokeToken) Code() Code { return CodeRevokeToken }
func (m *RevokeToken) AppendPayload(b []byte) []byte {
	return appendBool(appendTime(append(b, m.Token[:]...), m.Expires), m.Proven)
}
func (m *RevokeToken) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Token[:])
	m.Expires, m.Proven = r.time(), r.bool()
	return r.end()
}

// CheckToken asks whether a token was revoked: 1071, token id[16], issued
// time (the SignedIn that it was issued for said it), name text (of the
// account). Answered with Done if it was not, else with a Failure,
// StatusUnauthenticated.
type CheckToken struct {
	Token  TokenID
	Issued time.Time
	Name   string
}

func (*CheckToken) Code() Code { return CodeCheckToken }
func (m *CheckToken) AppendPayload(b []byte) []byte {
	return appendText(appendTime(append(b, m.Token[:]...), m.Issued), m.Name)
}
func (m *CheckToken) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Token[:])
	m.Issued, m.Name = r.time(), r.text()
	return r.end()
}

// RevokeTokens makes all tokens of the client dead that were issued until now:
// 1072, empty. Answered with TokensRevoked.
type RevokeTokens struct{}

func (*RevokeTokens) Code() Code                    { return CodeRevokeTokens }
func (*RevokeTokens) AppendPayload(b []byte) []byte { return b }
func (*RevokeTokens) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// TokensRevoked answers RevokeTokens and SetPassword: 1630, until time. Tokens
// of the client that were issued then or earlier are dead, by the core's clock.
type TokensRevoked struct{ Until time.Time }

func (*TokensRevoked) Code() Code                      { return CodeTokensRevoked }
func (m *TokensRevoked) AppendPayload(b []byte) []byte { return appendTime(b, m.Until) }
func (m *TokensRevoked) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Until = r.time()
	return r.end()
}
