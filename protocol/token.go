package protocol

import "time"

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

// CheckToken asks whether a token was revoked: 1071, token id[16]. Answered
// with Done if it was not, else with a Failure, StatusUnauthenticated.
type CheckToken struct{ Token TokenID }

func (*CheckToken) Code() Code                      { return CodeCheckToken }
func (m *CheckToken) AppendPayload(b []byte) []byte { return append(b, m.Token[:]...) }
func (m *CheckToken) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Token[:])
	return r.end()
}
