package protocol

// SetBaseAccess says whether base requests, which the client id alone
// authorizes, are served for the client: 1054, open bool. Clients that seal
// close their accounts to them. Answered with Done.
type SetBaseAccess struct{ Open bool }

func (*SetBaseAccess) Code() Code                      { return CodeSetBaseAccess }
func (m *SetBaseAccess) AppendPayload(b []byte) []byte { return appendBool(b, m.Open) }
func (m *SetBaseAccess) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Open = r.bool()
	return r.end()
}

// MakeAPIID makes a new API id for the client, which names it over HTTP in
// place of the one until now: 1055, empty. Answered with APIIDMade.
type MakeAPIID struct{}

func (*MakeAPIID) Code() Code                    { return CodeMakeAPIID }
func (*MakeAPIID) AppendPayload(b []byte) []byte { return b }
func (*MakeAPIID) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// APIIDMade answers MakeAPIID: 1631, API id[16]. It is a secret.
type APIIDMade struct{ ID ClientID }

func (*APIIDMade) Code() Code                      { return CodeAPIIDMade }
func (m *APIIDMade) AppendPayload(b []byte) []byte { return append(b, m.ID[:]...) }
func (m *APIIDMade) DecodePayload(p []byte) error  { return decodeID(p, &m.ID) }

// GetIdentity asks how the client is known: 1056, empty. Answered with
// Identity.
type GetIdentity struct{}

func (*GetIdentity) Code() Code                    { return CodeGetIdentity }
func (*GetIdentity) AppendPayload(b []byte) []byte { return b }
func (*GetIdentity) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// Identity answers GetIdentity: 1632, client id[16] (the wire's), base open
// bool, has API id bool.
type Identity struct {
	Client   ClientID
	BaseOpen bool
	HasAPIID bool
}

func (*Identity) Code() Code { return CodeIdentity }
func (m *Identity) AppendPayload(b []byte) []byte {
	return appendBool(appendBool(append(b, m.Client[:]...), m.BaseOpen), m.HasAPIID)
}
func (m *Identity) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Client[:])
	m.BaseOpen, m.HasAPIID = r.bool(), r.bool()
	return r.end()
}
