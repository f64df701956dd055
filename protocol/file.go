package protocol

import "time"

// MaxListFiles is the most entries in a page of a listing.
const MaxListFiles = 1000

const fileContentSize = 4 + 8 + 8

// A FileEntry is one version of a file: version u32, size u64 (ciphertext
// bytes), original size u64 (plaintext bytes), cksum u32 of the plaintext,
// SHA-256[32] of the ciphertext, format u8, verified u8, created time,
// filename text.
type FileEntry struct {
	Version      uint32
	Size         uint64
	OriginalSize uint64
	Cksum        uint32
	SHA256       [32]byte
	Format       Format
	Verified     bool
	Created      time.Time
	Name         string
}

func (e *FileEntry) append(b []byte) []byte {
	b = le.AppendUint32(b, e.Version)
	b = le.AppendUint64(b, e.Size)
	b = le.AppendUint64(b, e.OriginalSize)
	b = le.AppendUint32(b, e.Cksum)
	b = append(b, e.SHA256[:]...)
	b = append(b, byte(e.Format))
	b = appendBool(b, e.Verified)
	b = appendTime(b, e.Created)
	return appendText(b, e.Name)
}

func (r *reader) fileEntry() (e FileEntry) {
	e.Version, e.Size, e.OriginalSize, e.Cksum = r.u32(), r.u64(), r.u64(), r.u32()
	r.fill(e.SHA256[:])
	e.Format, e.Verified, e.Created, e.Name = Format(r.u8()), r.bool(), r.time(), r.text()
	return e
}

// ListFiles asks for a page of the client's files, ordered by name: 1041,
// limit u16 (1 to MaxListFiles), all versions u8, after version u32, after
// text, only text. The page follows the version After (AfterName, AfterVersion)
// of the page before. Only, if not empty, lists the versions of that one file.
// Answered with FileList.
type ListFiles struct {
	Limit        uint16
	AllVersions  bool
	AfterVersion uint32
	AfterName    string
	Only         string
}

func (*ListFiles) Code() Code { return CodeListFiles }
func (m *ListFiles) AppendPayload(b []byte) []byte {
	b = appendBool(le.AppendUint16(b, m.Limit), m.AllVersions)
	b = le.AppendUint32(b, m.AfterVersion)
	return appendText(appendText(b, m.AfterName), m.Only)
}
func (m *ListFiles) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Limit, m.AllVersions, m.AfterVersion = r.u16(), r.bool(), r.u32()
	m.AfterName, m.Only = r.text(), r.text()
	return r.end()
}

// FileList answers ListFiles: 1615, more u8 (another page follows), count u16,
// as many FileEntries.
type FileList struct {
	More  bool
	Files []FileEntry
}

func (*FileList) Code() Code { return CodeFileList }
func (m *FileList) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(appendBool(b, m.More), uint16(len(m.Files)))
	for i := range m.Files {
		b = m.Files[i].append(b)
	}
	return b
}
func (m *FileList) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.More, m.Files = r.bool(), nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		m.Files = append(m.Files, r.fileEntry())
	}
	return r.end()
}

// GetFile asks for one version of a file: 1042, version u32 (0 the newest),
// filename text. Answered with FileInfo.
type GetFile struct {
	Version uint32
	Name    string
}

func (*GetFile) Code() Code { return CodeGetFile }
func (m *GetFile) AppendPayload(b []byte) []byte {
	return appendText(le.AppendUint32(b, m.Version), m.Name)
}
func (m *GetFile) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.Name = r.u32(), r.text()
	return r.end()
}

// FileInfo answers GetFile: 1616, FileEntry, OAEP hash u8, SHA-256[32] of the
// public key the session key is wrapped for, wrapped key bytes.
type FileInfo struct {
	FileEntry
	OAEPHash       uint8
	KeyFingerprint [32]byte
	WrappedKey     []byte
}

func (*FileInfo) Code() Code { return CodeFileInfo }
func (m *FileInfo) AppendPayload(b []byte) []byte {
	b = append(m.FileEntry.append(b), m.OAEPHash)
	return appendBytes(append(b, m.KeyFingerprint[:]...), m.WrappedKey)
}
func (m *FileInfo) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.FileEntry = r.fileEntry()
	m.OAEPHash = r.u8()
	r.fill(m.KeyFingerprint[:])
	m.WrappedKey = r.bytes(maxWrapped)
	return r.end()
}

// MaxReadFile is the most bytes that one ReadFile gets.
const MaxReadFile = 1 << 30

// ReadFile asks for a range of a file's ciphertext: 1043, version u32 (0 the
// newest), offset u64, length u32 (0: as much as one answer holds), filename
// text. Answered with FileContent.
type ReadFile struct {
	Version uint32
	Offset  uint64
	Length  uint32
	Name    string
}

func (*ReadFile) Code() Code { return CodeReadFile }
func (m *ReadFile) AppendPayload(b []byte) []byte {
	b = le.AppendUint32(b, m.Version)
	b = le.AppendUint64(b, m.Offset)
	return appendText(le.AppendUint32(b, m.Length), m.Name)
}
func (m *ReadFile) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.Offset, m.Length, m.Name = r.u32(), r.u64(), r.u32(), r.text()
	return r.end()
}

// FileContent answers ReadFile: 1617, version u32, size u64 (of the whole
// ciphertext), offset u64, content: the bytes from offset on, at most as many
// as were asked for, at most MaxReadFile, up to the end of the file.
type FileContent struct {
	Version uint32
	Size    uint64
	Offset  uint64
}

func (*FileContent) Code() Code { return CodeFileContent }
func (m *FileContent) AppendPayload(b []byte) []byte {
	b = le.AppendUint32(b, m.Version)
	return le.AppendUint64(le.AppendUint64(b, m.Size), m.Offset)
}
func (m *FileContent) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.Size, m.Offset = r.u32(), r.u64(), r.u64()
	return r.end()
}

// DeleteFile removes one version of a file, or all of them: 1044, version u32
// (0 all), filename text. Answered with Done.
type DeleteFile struct {
	Version uint32
	Name    string
}

func (*DeleteFile) Code() Code { return CodeDeleteFile }
func (m *DeleteFile) AppendPayload(b []byte) []byte {
	return appendText(le.AppendUint32(b, m.Version), m.Name)
}
func (m *DeleteFile) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.Name = r.u32(), r.text()
	return r.end()
}
