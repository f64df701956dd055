package protocol

// ChecksumOK confirms a file, which commits it: 1029, filename[255]. Answered
// with Acknowledged once the commit is on stable storage.
type ChecksumOK struct{ Name Field }

func (*ChecksumOK) Code() Code                      { return CodeChecksumOK }
func (m *ChecksumOK) AppendPayload(b []byte) []byte { return append(b, m.Name[:]...) }
func (m *ChecksumOK) DecodePayload(p []byte) error  { return decodeField(p, &m.Name) }

// ChecksumRetry says that the client will send every packet again: 1030,
// filename[255]. Answered with Acknowledged only if the client stays silent.
type ChecksumRetry struct{ Name Field }

func (*ChecksumRetry) Code() Code                      { return CodeChecksumRetry }
func (m *ChecksumRetry) AppendPayload(b []byte) []byte { return append(b, m.Name[:]...) }
func (m *ChecksumRetry) DecodePayload(p []byte) error  { return decodeField(p, &m.Name) }

// ChecksumGiveUp drops the upload after the fourth wrong checksum: 1031,
// filename[255]. Answered with Acknowledged.
type ChecksumGiveUp struct{ Name Field }

func (*ChecksumGiveUp) Code() Code                      { return CodeChecksumGiveUp }
func (m *ChecksumGiveUp) AppendPayload(b []byte) []byte { return append(b, m.Name[:]...) }
func (m *ChecksumGiveUp) DecodePayload(p []byte) error  { return decodeField(p, &m.Name) }

// Acknowledged answers the three above: 1604, client id[16].
type Acknowledged struct{ Client ClientID }

func (*Acknowledged) Code() Code                      { return CodeAcknowledged }
func (m *Acknowledged) AppendPayload(b []byte) []byte { return append(b, m.Client[:]...) }
func (m *Acknowledged) DecodePayload(p []byte) error  { return decodeID(p, &m.Client) }

// MaxAttempts is how often a file may be sent before a wrong checksum is final.
const MaxAttempts = 4

// VerifyUpload brings the client's checksum of the plaintext: 1038, cksum u32,
// upload. If it is the server's, the file is committed. If not, all packets
// are awaited again, or, after MaxAttempts, the upload is dropped. Answered
// with VerifyResult.
type VerifyUpload struct {
	Cksum uint32
	Ref   UploadRef
}

func (*VerifyUpload) Code() Code { return CodeVerifyUpload }
func (m *VerifyUpload) AppendPayload(b []byte) []byte {
	return m.Ref.append(le.AppendUint32(b, m.Cksum))
}
func (m *VerifyUpload) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Cksum = r.u32()
	m.Ref = r.uploadRef()
	return r.end()
}

// VerifyResult answers VerifyUpload: 1613, verified u8, attempts left u8,
// cksum u32 (the server's), version u32 (committed, or 0).
type VerifyResult struct {
	Verified     bool
	AttemptsLeft uint8
	Cksum        uint32
	Version      uint32
}

func (*VerifyResult) Code() Code { return CodeVerifyResult }
func (m *VerifyResult) AppendPayload(b []byte) []byte {
	b = append(appendBool(b, m.Verified), m.AttemptsLeft)
	return le.AppendUint32(le.AppendUint32(b, m.Cksum), m.Version)
}
func (m *VerifyResult) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Verified, m.AttemptsLeft, m.Cksum, m.Version = r.bool(), r.u8(), r.u32(), r.u32()
	return r.end()
}
