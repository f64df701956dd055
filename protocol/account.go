package protocol

import "time"

// PutKeyBundle replaces the client's key bundle: 1045, the bundle to the end
// of the payload, at most MaxKeyBundle bytes, opaque to the server. Answered
// with Done.
type PutKeyBundle struct{ Bundle []byte }

func (*PutKeyBundle) Code() Code                      { return CodePutKeyBundle }
func (m *PutKeyBundle) AppendPayload(b []byte) []byte { return append(b, m.Bundle...) }
func (m *PutKeyBundle) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Bundle = r.rest()
	return r.end()
}

// GetKeyBundle asks for the client's key bundle: 1046, empty. Answered with
// KeyBundle.
type GetKeyBundle struct{}

func (*GetKeyBundle) Code() Code                    { return CodeGetKeyBundle }
func (*GetKeyBundle) AppendPayload(b []byte) []byte { return b }
func (*GetKeyBundle) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// KeyBundle answers GetKeyBundle: 1618, the bundle to the end.
type KeyBundle struct{ Bundle []byte }

func (*KeyBundle) Code() Code                      { return CodeKeyBundle }
func (m *KeyBundle) AppendPayload(b []byte) []byte { return append(b, m.Bundle...) }
func (m *KeyBundle) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Bundle = r.rest()
	return r.end()
}

// GetAccount asks what the server has of the client: 1047, empty. Answered
// with AccountInfo.
type GetAccount struct{}

func (*GetAccount) Code() Code                    { return CodeGetAccount }
func (*GetAccount) AppendPayload(b []byte) []byte { return b }
func (*GetAccount) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// AccountInfo answers GetAccount: 1619, files u64, versions u64, bytes u64
// (ciphertext), unfinished uploads u32, key bits u16 (0: no public key), OAEP
// hash u8, has password u8, has bundle u8, created time, session seconds u32,
// upload seconds u32, max packet u32, keep versions u32 (0: all), name text.
type AccountInfo struct {
	Files, Versions, Bytes uint64
	Uploads                uint32
	KeyBits                uint16
	OAEPHash               uint8
	HasPassword, HasBundle bool
	Created                time.Time
	SessionTTL, UploadTTL  time.Duration // whole seconds
	MaxPacket              uint32        // bytes of content
	KeepVersions           uint32
	Name                   string
}

func (*AccountInfo) Code() Code { return CodeAccountInfo }
func (m *AccountInfo) AppendPayload(b []byte) []byte {
	b = le.AppendUint64(b, m.Files)
	b = le.AppendUint64(b, m.Versions)
	b = le.AppendUint64(b, m.Bytes)
	b = le.AppendUint32(b, m.Uploads)
	b = append(le.AppendUint16(b, m.KeyBits), m.OAEPHash)
	b = appendBool(appendBool(b, m.HasPassword), m.HasBundle)
	b = appendTime(b, m.Created)
	b = le.AppendUint32(b, uint32(m.SessionTTL/time.Second))
	b = le.AppendUint32(b, uint32(m.UploadTTL/time.Second))
	b = le.AppendUint32(le.AppendUint32(b, m.MaxPacket), m.KeepVersions)
	return appendText(b, m.Name)
}
func (m *AccountInfo) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Files, m.Versions, m.Bytes = r.u64(), r.u64(), r.u64()
	m.Uploads, m.KeyBits, m.OAEPHash = r.u32(), r.u16(), r.u8()
	m.HasPassword, m.HasBundle, m.Created = r.bool(), r.bool(), r.time()
	m.SessionTTL = time.Duration(r.u32()) * time.Second
	m.UploadTTL = time.Duration(r.u32()) * time.Second
	m.MaxPacket, m.KeepVersions, m.Name = r.u32(), r.u32(), r.text()
	return r.end()
}

// CreateAccount registers a client by way of the gateway: 1064, name text,
// kind text (cpp_client, web_client, api_client), password text (may be
// empty). Answered with AccountCreated.
type CreateAccount struct{ Name, Kind, Password string }

func (*CreateAccount) Code() Code { return CodeCreateAccount }
func (m *CreateAccount) AppendPayload(b []byte) []byte {
	return appendText(appendText(appendText(b, m.Name), m.Kind), m.Password)
}
func (m *CreateAccount) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Name, m.Kind, m.Password = r.text(), r.text(), r.text()
	return r.end()
}

// AccountCreated answers CreateAccount: 1620, API id[16]: the client as its
// requests by way of the gateway name it. The one on the wire is another.
type AccountCreated struct{ Client ClientID }

func (*AccountCreated) Code() Code                      { return CodeAccountCreated }
func (m *AccountCreated) AppendPayload(b []byte) []byte { return append(b, m.Client[:]...) }
func (m *AccountCreated) DecodePayload(p []byte) error  { return decodeID(p, &m.Client) }

// Ways to sign in.
const (
	SignInByName     uint8 = 0 // an account without a password, which proves nothing
	SignInByPassword uint8 = 1
	SignInByClientID uint8 = 2 // an account without a password, by its API id
)

// SignIn checks a caller's identity: 1065, method u8, API id[16], name text,
// password text. Answered with SignedIn; an unknown name, a wrong password and
// a wrong id all get the same Failure, StatusUnauthenticated, and so does an
// account that was made on the wire and has neither password nor API id.
type SignIn struct {
	Method         uint8
	Client         ClientID // the API id, for SignInByClientID
	Name, Password string
}

func (*SignIn) Code() Code { return CodeSignIn }
func (m *SignIn) AppendPayload(b []byte) []byte {
	b = append(append(b, m.Method), m.Client[:]...)
	return appendText(appendText(b, m.Name), m.Password)
}
func (m *SignIn) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Method = r.u8()
	r.fill(m.Client[:])
	m.Name, m.Password = r.text(), r.text()
	return r.end()
}

// SignedIn answers SignIn: 1621, proven u8 (by password or API id), API id[16]
// (zeros if nothing was proven), at time. At is when the core began to check, by its own clock: a
// token that is given for it counts as issued then, so that whatever ends the
// client's sessions in the meantime ends this one too.
type SignedIn struct {
	Proven bool
	Client ClientID
	At     time.Time
}

func (*SignedIn) Code() Code { return CodeSignedIn }
func (m *SignedIn) AppendPayload(b []byte) []byte {
	return appendTime(append(appendBool(b, m.Proven), m.Client[:]...), m.At)
}
func (m *SignedIn) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Proven = r.bool()
	r.fill(m.Client[:])
	m.At = r.time()
	return r.end()
}

// SetPassword sets the client's password and its key bundle, one never without
// the other: 1052, current text, password text, bundle to the end of the
// payload, at most MaxKeyBundle bytes. Current is the password until now; on a
// connection that has proven to hold a session key it may be empty, since that
// is more than a password proves. All tokens of the client die. Answered with
// TokensRevoked, or with a Failure, StatusForbidden, if current is wrong.
type SetPassword struct {
	Current, Password string
	Bundle            []byte
}

func (*SetPassword) Code() Code { return CodeSetPassword }
func (m *SetPassword) AppendPayload(b []byte) []byte {
	return append(appendText(appendText(b, m.Current), m.Password), m.Bundle...)
}
func (m *SetPassword) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Current, m.Password, m.Bundle = r.text(), r.text(), r.rest()
	return r.end()
}

// RemoveAccount removes the client with all that the server has of it, for
// good: 1053, password text, which an account that has one must prove.
// Answered with Done, or with a Failure, StatusForbidden, if it is wrong.
type RemoveAccount struct{ Password string }

func (*RemoveAccount) Code() Code                      { return CodeRemoveAccount }
func (m *RemoveAccount) AppendPayload(b []byte) []byte { return appendText(b, m.Password) }
func (m *RemoveAccount) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Password = r.text()
	return r.end()
}
