package protocol

import "time"

// MaxTokenTTL is the longest that a token of a gateway's may be good.
const MaxTokenTTL = 30 * 24 * time.Hour

// A TokenID names a session token of the gateway's.
type TokenID [16]byte

// RevokeToken makes a token of the gateway's dead: 1070, token id[16], expires
// time, when it would have died by itself. Answered with Done.
type RevokeToken struct {
	Token   TokenID
	Expires time.Time
}

func (*RevokeToken) Code() Code { return CodeRevokeToken }
func (m *RevokeToken) AppendPayload(b []byte) []byte {
	return appendTime(append(b, m.Token[:]...), m.Expires)
}
func (m *RevokeToken) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Token[:])
	m.Expires = r.time()
	return r.end()
}

// CheckToken asks whether a token was revoked: 1071, token id[16], issued
// time, name text (of the account that it was issued to). Answered with Done if
// it was not, else with a Failure, StatusUnauthenticated.
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

// RevokeTokens makes all tokens of the client dead that were issued until a
// moment: 1072, until time, expires time, when the last of them would have died
// by itself. Answered with Done.
type RevokeTokens struct{ Until, Expires time.Time }

func (*RevokeTokens) Code() Code { return CodeRevokeTokens }
func (m *RevokeTokens) AppendPayload(b []byte) []byte {
	return appendTime(appendTime(b, m.Until), m.Expires)
}
func (m *RevokeTokens) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Until, m.Expires = r.time(), r.time()
	return r.end()
}
