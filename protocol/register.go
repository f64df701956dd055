package protocol

// Register asks for a client id: 1025, name[255]. The client id in its header
// means nothing. Answered with Registered or RegisterRefused.
type Register struct{ Name Field }

func (*Register) Code() Code                      { return CodeRegister }
func (m *Register) AppendPayload(b []byte) []byte { return append(b, m.Name[:]...) }
func (m *Register) DecodePayload(p []byte) error  { return decodeField(p, &m.Name) }

// Registered answers Register: 1600, client id[16].
type Registered struct{ Client ClientID }

func (*Registered) Code() Code                      { return CodeRegistered }
func (m *Registered) AppendPayload(b []byte) []byte { return append(b, m.Client[:]...) }
func (m *Registered) DecodePayload(p []byte) error  { return decodeID(p, &m.Client) }

// RegisterRefused answers Register when the name is taken or not acceptable:
// 1601, empty.
type RegisterRefused struct{}

func (*RegisterRefused) Code() Code                    { return CodeRegisterRefused }
func (*RegisterRefused) AppendPayload(b []byte) []byte { return b }
func (*RegisterRefused) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// GetRefusal asks why the last Register on this connection was refused, which
// its answer does not say: 1057, empty. Answered with a Failure that says so,
// or with Done if it was not refused.
type GetRefusal struct{}

func (*GetRefusal) Code() Code                    { return CodeGetRefusal }
func (*GetRefusal) AppendPayload(b []byte) []byte { return b }
func (*GetRefusal) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// Error answers any request that cannot be served: 1607, empty.
type Error struct{}

func (*Error) Code() Code                    { return CodeError }
func (*Error) AppendPayload(b []byte) []byte { return b }
func (*Error) DecodePayload(p []byte) error  { return decodeEmpty(p) }

func decodeEmpty(p []byte) error {
	r := reader{p: p}
	return r.end()
}

func decodeField(p []byte, f *Field) error {
	r := reader{p: p}
	r.fill(f[:])
	return r.end()
}

func decodeID(p []byte, id *ClientID) error {
	r := reader{p: p}
	r.fill(id[:])
	return r.end()
}
