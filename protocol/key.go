package protocol

// SendPublicKey brings the client's RSA key: 1026, name[255], DER
// SubjectPublicKeyInfo. Some clients leave garbage behind the DER, whose own
// length counts. Answered with KeyReceived.
type SendPublicKey struct {
	Name Field
	DER  []byte // as it came
}

func (*SendPublicKey) Code() Code { return CodeSendPublicKey }
func (m *SendPublicKey) AppendPayload(b []byte) []byte {
	return append(append(b, m.Name[:]...), m.DER...)
}
func (m *SendPublicKey) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Name[:])
	m.DER = r.rest()
	return r.end()
}

// KeyReceived answers SendPublicKey: 1602, client id[16], the session key
// under RSA-OAEP for that key.
type KeyReceived struct {
	Client     ClientID
	WrappedKey []byte
}

func (*KeyReceived) Code() Code                      { return CodeKeyReceived }
func (m *KeyReceived) AppendPayload(b []byte) []byte { return appendKey(b, m.Client, m.WrappedKey) }
func (m *KeyReceived) DecodePayload(p []byte) error  { return decodeKey(p, &m.Client, &m.WrappedKey) }

// Reconnect asks for a new session key: 1027, name[255]. Answered with
// Reconnected or ReconnectDenied.
type Reconnect struct{ Name Field }

func (*Reconnect) Code() Code                      { return CodeReconnect }
func (m *Reconnect) AppendPayload(b []byte) []byte { return append(b, m.Name[:]...) }
func (m *Reconnect) DecodePayload(p []byte) error  { return decodeField(p, &m.Name) }

// Reconnected answers Reconnect: 1605, client id[16], the new session key
// under RSA-OAEP.
type Reconnected struct {
	Client     ClientID
	WrappedKey []byte
}

func (*Reconnected) Code() Code                      { return CodeReconnected }
func (m *Reconnected) AppendPayload(b []byte) []byte { return appendKey(b, m.Client, m.WrappedKey) }
func (m *Reconnected) DecodePayload(p []byte) error  { return decodeKey(p, &m.Client, &m.WrappedKey) }

// ReconnectDenied answers Reconnect for an unknown id, a wrong name, or a
// client without a public key: 1606, client id[16] as it came.
type ReconnectDenied struct{ Client ClientID }

func (*ReconnectDenied) Code() Code                      { return CodeReconnectDenied }
func (m *ReconnectDenied) AppendPayload(b []byte) []byte { return append(b, m.Client[:]...) }
func (m *ReconnectDenied) DecodePayload(p []byte) error  { return decodeID(p, &m.Client) }

// OAEP hashes, as SessionKeyIssued, UploadBegun and FileInfo name them.
const (
	OAEPSHA256 uint8 = 0
	OAEPSHA1   uint8 = 1
)

// Challenge asks for a challenge: 1032, empty. Answered with ChallengeIssued.
type Challenge struct{}

func (*Challenge) Code() Code                    { return CodeChallenge }
func (*Challenge) AppendPayload(b []byte) []byte { return b }
func (*Challenge) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// ChallengeIssued answers Challenge: 1609, challenge[32], random, good for one
// Prove on this connection.
type ChallengeIssued struct{ Challenge [32]byte }

func (*ChallengeIssued) Code() Code                      { return CodeChallengeIssued }
func (m *ChallengeIssued) AppendPayload(b []byte) []byte { return append(b, m.Challenge[:]...) }
func (m *ChallengeIssued) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Challenge[:])
	return r.end()
}

// Prove shows that the connection holds the session key: 1033, proof[32] =
// HMAC-SHA256(session key, challenge). Answered with Done; the extensions are
// served on the connection from then on.
type Prove struct{ Proof [32]byte }

func (*Prove) Code() Code                      { return CodeProve }
func (m *Prove) AppendPayload(b []byte) []byte { return append(b, m.Proof[:]...) }
func (m *Prove) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Proof[:])
	return r.end()
}

// SetPublicKey brings a client's key by way of the gateway: 1067, replace u8,
// DER. Replace is set for an account signed in with its password. Answered
// with SessionKeyIssued.
type SetPublicKey struct {
	Replace bool
	DER     []byte
}

func (*SetPublicKey) Code() Code { return CodeSetPublicKey }
func (m *SetPublicKey) AppendPayload(b []byte) []byte {
	return append(appendBool(b, m.Replace), m.DER...)
}
func (m *SetPublicKey) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Replace = r.bool()
	m.DER = r.rest()
	return r.end()
}

// NewSession asks for a new session key by way of the gateway: 1068, empty.
// Answered with SessionKeyIssued.
type NewSession struct{}

func (*NewSession) Code() Code                    { return CodeNewSession }
func (*NewSession) AppendPayload(b []byte) []byte { return b }
func (*NewSession) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// SessionKeyIssued answers SetPublicKey and NewSession: 1622, OAEP hash u8,
// wrapped key bytes.
type SessionKeyIssued struct {
	OAEPHash   uint8
	WrappedKey []byte
}

func (*SessionKeyIssued) Code() Code { return CodeSessionKeyIssued }
func (m *SessionKeyIssued) AppendPayload(b []byte) []byte {
	return appendBytes(append(b, m.OAEPHash), m.WrappedKey)
}
func (m *SessionKeyIssued) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.OAEPHash = r.u8()
	m.WrappedKey = r.bytes(maxWrapped)
	return r.end()
}

func appendKey(b []byte, id ClientID, wrapped []byte) []byte {
	return append(append(b, id[:]...), wrapped...)
}

func decodeKey(p []byte, id *ClientID, wrapped *[]byte) error {
	r := reader{p: p}
	r.fill(id[:])
	*wrapped = r.rest()
	return r.end()
}
