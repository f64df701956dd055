package protocol

// ProveGateway proves that a peer on the internal listener knows the core
// secret: 1082, nonce[32], random, and proof[32] = HMAC-SHA256(secret, "coffer
// gateway", the challenge that the core issued, nonce, binding), where binding
// is TLS's exporter "EXPORTER-Channel-Binding" of 32 bytes, or nothing on a
// connection without TLS. Answered with CoreProven; then the connection accepts
// all other requests.
type ProveGateway struct{ Nonce, Proof [32]byte }

func (*ProveGateway) Code() Code { return CodeProveGateway }
func (m *ProveGateway) AppendPayload(b []byte) []byte {
	return append(append(b, m.Nonce[:]...), m.Proof[:]...)
}
func (m *ProveGateway) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Nonce[:])
	r.fill(m.Proof[:])
	return r.end()
}

// CoreProven answers ProveGateway: 1642, proof[32], as there but with "coffer
// core": the core knows the secret as well, and is no other program that took
// its address.
type CoreProven struct{ Proof [32]byte }

func (*CoreProven) Code() Code                      { return CodeCoreProven }
func (m *CoreProven) AppendPayload(b []byte) []byte { return append(b, m.Proof[:]...) }
func (m *CoreProven) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Proof[:])
	return r.end()
}
