package protocol

import "time"

// UnknownSize stands for the original size of an upload that does not know it.
const UnknownSize = 1<<64 - 1

// MaxMissing is the most ranges that an UploadState lists.
const MaxMissing = 128

// Sizes in bytes of what stands before a packet's content.
const (
	sendFileSize     = 4 + 4 + 2 + 2 + FieldSize
	uploadPacketSize = 16 + 4 + 1
	namedPacketSize  = 8 + 4 + 4 + FieldSize
)

// SendFile brings one packet of a file from a base client: 1028, content size
// u32, original size u32, packet number u16 (from 1), total packets u16,
// filename[255], content. Content size is this packet's in some clients, the
// whole file's in others; nothing may rely on it. Answered with FileReceived
// when the file is complete, until then not at all.
type SendFile struct {
	ContentSize  uint32
	OriginalSize uint32
	Number       uint16
	Total        uint16
	Name         Field
}

func (*SendFile) Code() Code { return CodeSendFile }
func (m *SendFile) AppendPayload(b []byte) []byte {
	b = le.AppendUint32(b, m.ContentSize)
	b = le.AppendUint32(b, m.OriginalSize)
	b = le.AppendUint16(b, m.Number)
	b = le.AppendUint16(b, m.Total)
	return append(b, m.Name[:]...)
}
func (m *SendFile) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.ContentSize, m.OriginalSize = r.u32(), r.u32()
	m.Number, m.Total = r.u16(), r.u16()
	r.fill(m.Name[:])
	return r.end()
}

// FileReceived says that a whole ciphertext is on stable storage: 1603, client
// id[16], content size u32 (ciphertext bytes of the whole file), filename[255]
// as it came, cksum u32 of the plaintext.
type FileReceived struct {
	Client      ClientID
	ContentSize uint32
	Name        Field
	Cksum       uint32
}

func (*FileReceived) Code() Code { return CodeFileReceived }
func (m *FileReceived) AppendPayload(b []byte) []byte {
	b = append(b, m.Client[:]...)
	b = le.AppendUint32(b, m.ContentSize)
	b = append(b, m.Name[:]...)
	return le.AppendUint32(b, m.Cksum)
}
func (m *FileReceived) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Client[:])
	m.ContentSize = r.u32()
	r.fill(m.Name[:])
	m.Cksum = r.u32()
	return r.end()
}

// A Format says what a file's content is, so that its owner's client knows
// what to make of it. The server stores it and does not look.
type Format uint8

// The formats of Coffer's own clients.
const (
	FormatUnknown      Format = 0 // a base client's or a script's
	FormatFile         Format = 1 // a file, unchanged
	FormatSealedFile   Format = 2 // the file, sealed with age
	FormatFolder       Format = 3 // tar and zstd
	FormatSealedFolder Format = 4 // tar and zstd, sealed with age
	FormatSnapshot     Format = 5 // a snapshot's manifest, sealed with age; its session key is none
)

// Sealed reports whether content of that format is sealed, as base clients never
// do.
func (f Format) Sealed() bool {
	return f == FormatSealedFile || f == FormatSealedFolder || f == FormatSnapshot
}

// BeginUpload begins an upload with a session key of its own: 1034, original
// size u64 or UnknownSize, total packets u32 or 0 if unknown, format u8,
// filename text. Answered with UploadBegun.
type BeginUpload struct {
	OriginalSize uint64
	Total        uint32
	Format       Format
	Name         string
}

func (*BeginUpload) Code() Code { return CodeBeginUpload }
func (m *BeginUpload) AppendPayload(b []byte) []byte {
	b = le.AppendUint64(b, m.OriginalSize)
	b = le.AppendUint32(b, m.Total)
	b = append(b, byte(m.Format))
	return appendText(b, m.Name)
}
func (m *BeginUpload) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.OriginalSize, m.Total, m.Format, m.Name = r.u64(), r.u32(), Format(r.u8()), r.text()
	return r.end()
}

// UploadBegun answers BeginUpload: 1611, upload id[16], max packet u32 (bytes
// of content), expires time, OAEP hash u8, wrapped key bytes.
type UploadBegun struct {
	Upload     UploadID
	MaxPacket  uint32
	Expires    time.Time
	OAEPHash   uint8
	WrappedKey []byte
}

func (*UploadBegun) Code() Code { return CodeUploadBegun }
func (m *UploadBegun) AppendPayload(b []byte) []byte {
	b = append(b, m.Upload[:]...)
	b = le.AppendUint32(b, m.MaxPacket)
	b = appendTime(b, m.Expires)
	b = append(b, m.OAEPHash)
	return appendBytes(b, m.WrappedKey)
}
func (m *UploadBegun) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Upload[:])
	m.MaxPacket, m.Expires, m.OAEPHash = r.u32(), r.time(), r.u8()
	m.WrappedKey = r.bytes(maxWrapped)
	return r.end()
}

// UploadPacket brings one packet of an upload: 1035, upload id[16], number u32
// (from 1), last u8, content. Last makes its number the total. A packet that
// is there already is taken as received. Answered with UploadState.
type UploadPacket struct {
	Upload UploadID
	Number uint32
	Last   bool
}

func (*UploadPacket) Code() Code { return CodeUploadPacket }
func (m *UploadPacket) AppendPayload(b []byte) []byte {
	b = append(b, m.Upload[:]...)
	b = le.AppendUint32(b, m.Number)
	return appendBool(b, m.Last)
}
func (m *UploadPacket) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.uploadPacket(m)
	return r.end()
}

func (r *reader) uploadPacket(m *UploadPacket) {
	r.fill(m.Upload[:])
	m.Number, m.Last = r.u32(), r.bool()
}

// NamedPacket brings one packet of the upload that is named by its file name
// and encrypted with the session key, as SendFile does: 1036, original size
// u64, number u32, total u32, filename[255], content. Packet 1 a second time
// starts the file over. Answered with UploadState.
type NamedPacket struct {
	OriginalSize uint64
	Number       uint32
	Total        uint32
	Name         Field
}

func (*NamedPacket) Code() Code { return CodeNamedPacket }
func (m *NamedPacket) AppendPayload(b []byte) []byte {
	b = le.AppendUint64(b, m.OriginalSize)
	b = le.AppendUint32(b, m.Number)
	b = le.AppendUint32(b, m.Total)
	return append(b, m.Name[:]...)
}
func (m *NamedPacket) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.namedPacket(m)
	return r.end()
}

func (r *reader) namedPacket(m *NamedPacket) {
	m.OriginalSize, m.Number, m.Total = r.u64(), r.u32(), r.u32()
	r.fill(m.Name[:])
}

// An UploadRef names an upload, by its id, or, if ByID is false, by its file
// name: kind u8 (0 id, 1 name), then id[16] or filename text.
type UploadRef struct {
	ByID   bool
	Upload UploadID
	Name   string
}

func (u UploadRef) append(b []byte) []byte {
	if u.ByID {
		return append(append(b, 0), u.Upload[:]...)
	}
	return appendText(append(b, 1), u.Name)
}

func (r *reader) uploadRef() (u UploadRef) {
	if u.ByID = !r.bool(); u.ByID {
		r.fill(u.Upload[:])
	} else {
		u.Name = r.text()
	}
	return u
}

// GetUpload asks for an upload's state: 1037, upload. Answered with
// UploadState.
type GetUpload struct{ Ref UploadRef }

func (*GetUpload) Code() Code                      { return CodeGetUpload }
func (m *GetUpload) AppendPayload(b []byte) []byte { return m.Ref.append(b) }
func (m *GetUpload) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Ref = r.uploadRef()
	return r.end()
}

// CancelUpload drops an upload: 1039, upload. Answered with Done.
type CancelUpload struct{ Ref UploadRef }

func (*CancelUpload) Code() Code                      { return CodeCancelUpload }
func (m *CancelUpload) AppendPayload(b []byte) []byte { return m.Ref.append(b) }
func (m *CancelUpload) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Ref = r.uploadRef()
	return r.end()
}

// A Range is the packet numbers From to To, both included.
type Range struct{ From, To uint32 }

// UploadState is the progress of an upload: 1612, upload id[16], complete u8,
// attempts left u8, received u32 (packets), total u32 (0 while unknown), bytes
// u64 (ciphertext so far), original size u64 or UnknownSize, cksum u32 of the
// plaintext (0 until complete), created time, expires time, missing count u32,
// ranges u16, as many (from u32, to u32), filename text. Missing lists the
// first ranges of packets not received, below the total or, while it is
// unknown, below the highest received.
type UploadState struct {
	Upload       UploadID
	Complete     bool
	AttemptsLeft uint8
	Received     uint32
	Total        uint32
	Bytes        uint64
	OriginalSize uint64
	Cksum        uint32
	Created      time.Time
	Expires      time.Time
	MissingCount uint32
	Missing      []Range // at most MaxMissing
	Name         string
}

func (*UploadState) Code() Code { return CodeUploadState }
func (m *UploadState) AppendPayload(b []byte) []byte {
	b = append(b, m.Upload[:]...)
	b = appendBool(b, m.Complete)
	b = append(b, m.AttemptsLeft)
	b = le.AppendUint32(b, m.Received)
	b = le.AppendUint32(b, m.Total)
	b = le.AppendUint64(b, m.Bytes)
	b = le.AppendUint64(b, m.OriginalSize)
	b = le.AppendUint32(b, m.Cksum)
	b = appendTime(b, m.Created)
	b = appendTime(b, m.Expires)
	b = le.AppendUint32(b, m.MissingCount)
	b = le.AppendUint16(b, uint16(len(m.Missing)))
	for _, g := range m.Missing {
		b = le.AppendUint32(b, g.From)
		b = le.AppendUint32(b, g.To)
	}
	return appendText(b, m.Name)
}
func (m *UploadState) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.uploadState(m)
	return r.end()
}

func (r *reader) uploadState(m *UploadState) {
	r.fill(m.Upload[:])
	m.Complete, m.AttemptsLeft = r.bool(), r.u8()
	m.Received, m.Total = r.u32(), r.u32()
	m.Bytes, m.OriginalSize, m.Cksum = r.u64(), r.u64(), r.u32()
	m.Created, m.Expires = r.time(), r.time()
	m.MissingCount = r.u32()
	m.Missing = nil
	n := int(r.u16())
	if n > MaxMissing {
		r.err = ErrMalformed
	}
	for i := 0; i < n && r.err == nil; i++ {
		m.Missing = append(m.Missing, Range{r.u32(), r.u32()})
	}
	m.Name = r.text()
}

// ListUploads asks for the client's unfinished uploads: 1040, empty. Answered
// with UploadList.
type ListUploads struct{}

func (*ListUploads) Code() Code                    { return CodeListUploads }
func (*ListUploads) AppendPayload(b []byte) []byte { return b }
func (*ListUploads) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// UploadList answers ListUploads: 1614, count u16, as many UploadStates, each
// without its ranges.
type UploadList struct{ Uploads []UploadState }

func (*UploadList) Code() Code { return CodeUploadList }
func (m *UploadList) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(b, uint16(len(m.Uploads)))
	for i := range m.Uploads {
		b = m.Uploads[i].AppendPayload(b)
	}
	return b
}
func (m *UploadList) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Uploads = nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		var u UploadState
		r.uploadState(&u)
		m.Uploads = append(m.Uploads, u)
	}
	return r.end()
}
