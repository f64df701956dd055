package protocol

import "strings"

// Bounds of snapshots, in bytes where nothing else is said.
const (
	MaxHead          = 4 << 10  // what a list shows of a snapshot, sealed
	MaxManifest      = 16 << 20 // a sealed manifest
	MaxMendRecord    = 1 << 20  // one mend record
	MaxListSnapshots = 1000     // entries in one SnapshotList; a page may hold fewer
	MaxSnapshotPacks = 1 << 24  // packs that one commit adds, and that it drops
)

// snapshotName begins the name of each snapshot; labelDigits follow.
const (
	snapshotName = "s/"
	labelDigits  = 32
)

// IsSnapshotName reports whether a name is one that snapshots alone may bear:
// "s/" and 32 hexadecimal digits, which stand for a label that the server does
// not know.
func IsSnapshotName(name string) bool {
	digits, ok := strings.CutPrefix(name, snapshotName)
	return ok && len(digits) == labelDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

// commitSnapshotSize is what stands before a commit's content, in bytes.
const commitSnapshotSize = 16 + 2*4 + 2*2 + 3*4

// maxCommit is the most bytes of content in a CommitSnapshot.
const maxCommit = maxText + MaxHead + 2*32*MaxSnapshotPacks + MaxManifest

// CommitSnapshot makes a snapshot the next version of its name: 1087, run[16],
// before u32 (the newest version as the client knows it, 0 none), base u32 (the
// version whose packs it takes over, 0 none), name size u16, head size u16,
// added u32, dropped u32, manifest size u32, content: name, head, the ids[32]
// of packs that it needs beside its base's, those of its base's that it does
// not need, the manifest. Answered with SnapshotCommitted, with PacksMissing,
// or with StatusConflict if another version came first. A commit repeated under
// its run is answered as the first.
type CommitSnapshot struct {
	Run          RunID
	Before       uint32
	Base         uint32
	NameSize     uint16
	HeadSize     uint16
	Added        uint32
	Dropped      uint32
	ManifestSize uint32
}

func (*CommitSnapshot) Code() Code { return CodeCommitSnapshot }
func (m *CommitSnapshot) AppendPayload(b []byte) []byte {
	b = append(b, m.Run[:]...)
	b = le.AppendUint32(le.AppendUint32(b, m.Before), m.Base)
	b = le.AppendUint16(le.AppendUint16(b, m.NameSize), m.HeadSize)
	b = le.AppendUint32(le.AppendUint32(b, m.Added), m.Dropped)
	return le.AppendUint32(b, m.ManifestSize)
}
func (m *CommitSnapshot) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Run[:])
	m.Before, m.Base = r.u32(), r.u32()
	m.NameSize, m.HeadSize = r.u16(), r.u16()
	m.Added, m.Dropped, m.ManifestSize = r.u32(), r.u32(), r.u32()
	return r.end()
}

// ContentSize is the size of the content that the message announces, in bytes.
func (m *CommitSnapshot) ContentSize() uint64 {
	return uint64(m.NameSize) + uint64(m.HeadSize) + 32*(uint64(m.Added)+uint64(m.Dropped)) + uint64(m.ManifestSize)
}

// SnapshotCommitted answers CommitSnapshot: 1645, version u32.
type SnapshotCommitted struct{ Version uint32 }

func (*SnapshotCommitted) Code() Code                      { return CodeSnapshotCommitted }
func (m *SnapshotCommitted) AppendPayload(b []byte) []byte { return le.AppendUint32(b, m.Version) }
func (m *SnapshotCommitted) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version = r.u32()
	return r.end()
}

// MendSnapshot adds a mend record to a snapshot, which from then on needs the
// packs in it, too: 1089, run[16] (which pins them and continues), version u32,
// added u16 (at most MaxAskPacks), as many ids[32], name text, record, to the
// end (1 to MaxMendRecord bytes). Answered with Done, or with PacksMissing.
type MendSnapshot struct {
	Run     RunID
	Version uint32
	Added   []PackID
	Name    string
	Record  []byte
}

func (*MendSnapshot) Code() Code { return CodeMendSnapshot }
func (m *MendSnapshot) AppendPayload(b []byte) []byte {
	b = append(b, m.Run[:]...)
	b = appendPackIDs(le.AppendUint32(b, m.Version), m.Added)
	return append(appendText(b, m.Name), m.Record...)
}
func (m *MendSnapshot) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Run[:])
	m.Version = r.u32()
	m.Added = r.packIDs(MaxAskPacks)
	m.Name, m.Record = r.text(), r.rest()
	return r.end()
}

// ListMends asks for the mend records of a snapshot, the oldest first: 1094,
// version u32 (0 the newest), after u16 (how many of them are not asked for),
// name text. Answered with Mends.
type ListMends struct {
	Version uint32
	After   uint16
	Name    string
}

func (*ListMends) Code() Code { return CodeListMends }
func (m *ListMends) AppendPayload(b []byte) []byte {
	return appendText(le.AppendUint16(le.AppendUint32(b, m.Version), m.After), m.Name)
}
func (m *ListMends) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.After, m.Name = r.u32(), r.u16(), r.text()
	return r.end()
}

// Mends answers ListMends: 1650, more u8 (others follow), count u16, as many
// records: size u32, and that many bytes.
type Mends struct {
	More    bool
	Records [][]byte
}

func (*Mends) Code() Code { return CodeMends }
func (m *Mends) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(appendBool(b, m.More), uint16(len(m.Records)))
	for _, one := range m.Records {
		b = append(le.AppendUint32(b, uint32(len(one))), one...)
	}
	return b
}
func (m *Mends) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.More, m.Records = r.bool(), nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		size := r.u32()
		if size > MaxMendRecord {
			r.err = ErrMalformed
		}
		m.Records = append(m.Records, append([]byte(nil), r.take(int(size))...))
	}
	return r.end()
}

// ListSnapshots asks for a page of a client's snapshots, ordered by name: 1090,
// limit u16 (1 to MaxListSnapshots), all versions u8, after version u32, after
// text, only text; all as in ListFiles. Answered with SnapshotList.
type ListSnapshots struct {
	Limit        uint16
	AllVersions  bool
	AfterVersion uint32
	AfterName    string
	Only         string
}

func (*ListSnapshots) Code() Code { return CodeListSnapshots }
func (m *ListSnapshots) AppendPayload(b []byte) []byte {
	b = appendBool(le.AppendUint16(b, m.Limit), m.AllVersions)
	b = le.AppendUint32(b, m.AfterVersion)
	return appendText(appendText(b, m.AfterName), m.Only)
}
func (m *ListSnapshots) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Limit, m.AllVersions, m.AfterVersion = r.u16(), r.bool(), r.u32()
	m.AfterName, m.Only = r.text(), r.text()
	return r.end()
}

// A SnapshotEntry is one version of a snapshot: FileEntry (of the manifest),
// run[16] (that made it), head bytes, packs u32 and pack bytes u64 (that it
// needs), damaged u32 (packs of these), mends u16.
type SnapshotEntry struct {
	FileEntry
	Run     RunID
	Head    []byte
	Packs   uint32
	Bytes   uint64
	Damaged uint32
	Mends   uint16
}

// SnapshotList answers ListSnapshots: 1647, more u8 (another page follows),
// count u16, as many SnapshotEntries.
type SnapshotList struct {
	More      bool
	Snapshots []SnapshotEntry
}

func (*SnapshotList) Code() Code { return CodeSnapshotList }
func (m *SnapshotList) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(appendBool(b, m.More), uint16(len(m.Snapshots)))
	for i := range m.Snapshots {
		e := &m.Snapshots[i]
		b = append(e.FileEntry.append(b), e.Run[:]...)
		b = le.AppendUint32(appendBytes(b, e.Head), e.Packs)
		b = le.AppendUint32(le.AppendUint64(b, e.Bytes), e.Damaged)
		b = le.AppendUint16(b, e.Mends)
	}
	return b
}
func (m *SnapshotList) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.More, m.Snapshots = r.bool(), nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		e := SnapshotEntry{FileEntry: r.fileEntry()}
		r.fill(e.Run[:])
		e.Head = r.bytes(MaxHead)
		e.Packs, e.Bytes, e.Damaged, e.Mends = r.u32(), r.u64(), r.u32(), r.u16()
		m.Snapshots = append(m.Snapshots, e)
	}
	return r.end()
}

// ReportVerified says that the client has read a snapshot and found it right:
// 1096, version u32, packs u32 and pack bytes u64 (that it read), name text.
// Answered with Done.
type ReportVerified struct {
	Version uint32
	Packs   uint32
	Bytes   uint64
	Name    string
}

func (*ReportVerified) Code() Code { return CodeReportVerified }
func (m *ReportVerified) AppendPayload(b []byte) []byte {
	b = le.AppendUint32(le.AppendUint32(b, m.Version), m.Packs)
	return appendText(le.AppendUint64(b, m.Bytes), m.Name)
}
func (m *ReportVerified) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.Packs, m.Bytes, m.Name = r.u32(), r.u32(), r.u64(), r.text()
	return r.end()
}
