package files

import (
	"encoding/binary"
	"errors"
	"time"

	"coffer/store"
)

// maxMetadata bounds encoded metadata.
const maxMetadata = 64 << 10

// The first byte of encoded metadata: the second version has what a manifest
// or a mend record has beside the rest.
const (
	metadataVersion         = 1
	snapshotMetadataVersion = 2
)

var errMetadata = errors.New("the metadata cannot be read")

// appendMetadata appends the binary form of metadata, as it lies in a pack: the
// version u8, by id u8, upload [16], client [16], key fingerprint [32], SHA-256
// [32], format u8, cksum u32, size i64, original size i64, received i64
// (nanoseconds since 1970, or the least value for the zero time), then name,
// wire name, wrapped key and OAEP hash, each with its length as uvarint in
// front. The second version continues with mend u8, run [16], pack bytes i64,
// head and packs, these two like the name. Integers are little-endian.
func appendMetadata(b []byte, l *store.Metadata) []byte {
	version := byte(metadataVersion)
	if l.Snapshot != nil {
		version = snapshotMetadataVersion
	}
	b = append(b, version, 0)
	if l.ByID {
		b[len(b)-1] = 1
	}
	b = append(b, l.Upload[:]...)
	b = append(b, l.Client[:]...)
	b = append(b, l.KeyFingerprint[:]...)
	b = append(b, l.SHA256[:]...)
	b = append(b, l.Format)
	b = binary.LittleEndian.AppendUint32(b, l.Cksum)
	b = binary.LittleEndian.AppendUint64(b, uint64(l.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.OriginalSize))
	b = binary.LittleEndian.AppendUint64(b, uint64(stamp(l.Received)))
	b = appendField(b, l.Name)
	b = appendField(b, l.WireName)
	b = appendField(b, l.WrappedKey)
	b = appendField(b, l.OAEPHash)
	if l.Snapshot != nil {
		b = appendSnapshot(b, l.Snapshot)
	}
	return b
}

func appendSnapshot(b []byte, s *store.SnapshotMetadata) []byte {
	b = append(b, 0)
	if s.Mend {
		b[len(b)-1] = 1
	}
	b = append(b, s.Run[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.PackBytes))
	b = appendField(b, s.Head)
	return appendField(b, s.Packs)
}

func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

// decodeMetadata reads what appendMetadata has written, and nothing else.
func decodeMetadata(b []byte) (store.Metadata, error) {
	var l store.Metadata
	d := metadataReader{rest: b}
	version, byID := d.byte(), d.byte()
	copy(l.Upload[:], d.take(16))
	copy(l.Client[:], d.take(16))
	copy(l.KeyFingerprint[:], d.take(32))
	copy(l.SHA256[:], d.take(32))
	l.Format = d.byte()
	if n := d.take(4); n != nil {
		l.Cksum = binary.LittleEndian.Uint32(n)
	}
	l.Size, l.OriginalSize, l.Received = d.int64(), d.int64(), unstamp(d.int64())
	l.Name = string(d.field())
	l.WireName, l.WrappedKey = clone(d.field()), clone(d.field())
	l.OAEPHash = string(d.field())
	if version == snapshotMetadataVersion {
		l.Snapshot = d.snapshot()
	}
	if d.failed || len(d.rest) != 0 || version < metadataVersion || version > snapshotMetadataVersion || byID > 1 {
		return store.Metadata{}, errMetadata
	}
	l.ByID = byID == 1
	return l, nil
}

// fitsRecord reports whether metadata may lie in a pack. What a snapshot needs
// may be too long for that.
func fitsRecord(l *store.Metadata) bool {
	return l.Snapshot == nil || len(appendMetadata(nil, l)) <= maxMetadata
}

// A metadataReader takes metadata apart; its first failure sticks.
type metadataReader struct {
	rest   []byte
	failed bool
}

func (r *metadataReader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *metadataReader) snapshot() *store.SnapshotMetadata {
	s := new(store.SnapshotMetadata)
	mend := r.byte()
	copy(s.Run[:], r.take(16))
	s.PackBytes = r.int64()
	s.Head, s.Packs = clone(r.field()), clone(r.field())
	s.Mend = mend == 1
	r.failed = r.failed || mend > 1
	return s
}

func (r *metadataReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *metadataReader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *metadataReader) field() []byte {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || size != len(binary.AppendUvarint(nil, n)) { // only the shortest form
		r.failed = true
		return nil
	}
	r.take(uint64(size))
	return r.take(n)
}

// clone copies a field out of its buffer; an empty one is nil.
func clone(b []byte) []byte { return append([]byte(nil), b...) }

// stamp and unstamp turn times into integers and back.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixNano()
}

func unstamp(ns int64) time.Time {
	if ns == -1<<63 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
