package protocol

// Bounds of packs.
const (
	MaxPack      = 32 << 20 // bytes of one
	MaxAskPacks  = 2000     // ids in one AskPacks, and in one PacksMissing
	MaxListPacks = 10_000   // entries in one PackList
)

// A PackID names a pack: the SHA-256 of its bytes.
type PackID [32]byte

// Sizes in bytes of what stands before a pack's content.
const (
	putPackSize     = 16 + 32
	packContentSize = 8 + 8
)

// packIDs reads a count, at most max, and as many ids.
func (r *reader) packIDs(max int) (ids []PackID) {
	n := int(r.u16())
	if n > max {
		r.err = ErrMalformed
	}
	for ; n > 0 && r.err == nil; n-- {
		var id PackID
		r.fill(id[:])
		ids = append(ids, id)
	}
	return ids
}

func appendPackIDs(b []byte, ids []PackID) []byte {
	b = le.AppendUint16(b, uint16(len(ids)))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

// AskPacks asks which packs the server lacks, and pins the others: 1085,
// run[16], count u16 (1 to MaxAskPacks), as many ids[32]. Answered with
// PacksMissing.
type AskPacks struct {
	Run RunID
	IDs []PackID
}

func (*AskPacks) Code() Code { return CodeAskPacks }
func (m *AskPacks) AppendPayload(b []byte) []byte {
	return appendPackIDs(append(b, m.Run[:]...), m.IDs)
}
func (m *AskPacks) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Run[:])
	m.IDs = r.packIDs(MaxAskPacks)
	return r.end()
}

// PacksMissing answers AskPacks, and a CommitSnapshot that names packs which
// the server does not have: 1644, count u16 (at most MaxAskPacks), as many
// ids[32]. A damaged pack is missing. After a commit there may be more.
type PacksMissing struct{ IDs []PackID }

func (*PacksMissing) Code() Code                      { return CodePacksMissing }
func (m *PacksMissing) AppendPayload(b []byte) []byte { return appendPackIDs(b, m.IDs) }
func (m *PacksMissing) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.IDs = r.packIDs(MaxAskPacks)
	return r.end()
}

// PutPack brings a pack: 1086, run[16], id[32], content, at most MaxPack bytes.
// One that is there already is read over and pinned. Answered with Done once it
// is on stable storage, with StatusInvalid if the content's SHA-256 is not the
// id.
type PutPack struct {
	Run RunID
	ID  PackID
}

func (*PutPack) Code() Code { return CodePutPack }
func (m *PutPack) AppendPayload(b []byte) []byte {
	return append(append(b, m.Run[:]...), m.ID[:]...)
}
func (m *PutPack) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Run[:])
	r.fill(m.ID[:])
	return r.end()
}

// ReadPack asks for a range of a pack: 1088, id[32], offset u64, length u32 (0:
// up to the end). Answered with PackContent.
type ReadPack struct {
	ID     PackID
	Offset uint64
	Length uint32
}

func (*ReadPack) Code() Code { return CodeReadPack }
func (m *ReadPack) AppendPayload(b []byte) []byte {
	b = le.AppendUint64(append(b, m.ID[:]...), m.Offset)
	return le.AppendUint32(b, m.Length)
}
func (m *ReadPack) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.ID[:])
	m.Offset, m.Length = r.u64(), r.u32()
	return r.end()
}

// PackContent answers ReadPack: 1646, size u64 (of the whole pack), offset u64,
// content: the bytes from offset on, as many as were asked for, or up to the
// end of the pack.
type PackContent struct {
	Size   uint64
	Offset uint64
}

func (*PackContent) Code() Code { return CodePackContent }
func (m *PackContent) AppendPayload(b []byte) []byte {
	return le.AppendUint64(le.AppendUint64(b, m.Size), m.Offset)
}
func (m *PackContent) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Size, m.Offset = r.u64(), r.u64()
	return r.end()
}

// CheckPack has the server read a pack back, because the client found it
// damaged: 1095, id[32]. Answered with Done if it is as it was put. If it is
// not, the server marks it damaged, so that it counts as missing, and answers
// StatusConflict.
type CheckPack struct{ ID PackID }

func (*CheckPack) Code() Code                      { return CodeCheckPack }
func (m *CheckPack) AppendPayload(b []byte) []byte { return append(b, m.ID[:]...) }
func (m *CheckPack) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.ID[:])
	return r.end()
}

// SnapshotPacks asks which packs a snapshot needs: 1093, version u32 (0 the
// newest), after u32 (the ordinal of the last one had; 0 none), limit u16 (1 to
// MaxListPacks), name text. Answered with PackList.
type SnapshotPacks struct {
	Version uint32
	After   uint32
	Limit   uint16
	Name    string
}

func (*SnapshotPacks) Code() Code { return CodeSnapshotPacks }
func (m *SnapshotPacks) AppendPayload(b []byte) []byte {
	b = le.AppendUint32(le.AppendUint32(b, m.Version), m.After)
	return appendText(le.AppendUint16(b, m.Limit), m.Name)
}
func (m *SnapshotPacks) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Version, m.After, m.Limit, m.Name = r.u32(), r.u32(), r.u16(), r.text()
	return r.end()
}

// A PackEntry is one pack: ordinal u32 (from 1), id[32], size u64, damaged u8.
type PackEntry struct {
	Ordinal uint32
	ID      PackID
	Size    uint64
	Damaged bool
}

// packEntrySize is the size of an encoded PackEntry in bytes.
const packEntrySize = 4 + 32 + 8 + 1

// PackList answers SnapshotPacks: 1649, more u8 (another page follows), count
// u16, as many PackEntries, by ordinal.
type PackList struct {
	More  bool
	Packs []PackEntry
}

func (*PackList) Code() Code { return CodePackList }
func (m *PackList) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(appendBool(b, m.More), uint16(len(m.Packs)))
	for i := range m.Packs {
		e := &m.Packs[i]
		b = append(le.AppendUint32(b, e.Ordinal), e.ID[:]...)
		b = appendBool(le.AppendUint64(b, e.Size), e.Damaged)
	}
	return b
}
func (m *PackList) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.More, m.Packs = r.bool(), nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		var e PackEntry
		e.Ordinal = r.u32()
		r.fill(e.ID[:])
		e.Size, e.Damaged = r.u64(), r.bool()
		m.Packs = append(m.Packs, e)
	}
	return r.end()
}
