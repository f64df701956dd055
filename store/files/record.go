package files

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"time"

	"coffer/store"
)

// A pack is a head of 64 bytes and records, each beginning at a multiple of
// 64. Integers are little-endian, sums CRC-32C:
//
//	 0  magic "CofB"
//	 4  metadata size u32
//	 8  content size u32
//	12  metadata sum u32
//	16  content sum u32
//	20  received i64, nanoseconds since 1970, or the least value for the zero time
//	28  sum of bytes 0 to 27, u32
//	32  state u8: 1 pending, 2 confirmed, 3 dead
//	33  verified u8
//	34  zero u16
//	36  version number u32
//	40  created i64, like received
//	48  zero, 12 bytes
//	60  sum of bytes 32 to 59, u32
//	64  metadata (see appendMetadata), content, zeros up to the next multiple of 64
//
// The first half of the header never changes. The second, the mark, is
// overwritten in place; as no sector boundary runs through it, it changes at
// once, and one that is broken anyway counts as pending: that is what the
// record was when it was synced. The metadata and content of a dead record may
// be holes.
const (
	packHead     = "coffer pack 1: small blobs, see package coffer/store/files     \n"
	packHeadSize = int64(len(packHead))
	align        = 64
	headerSize   = 64
	markOffset   = 32
	recordMagic  = "CofB"
)

const (
	pending   = 1
	confirmed = 2
	dead      = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// A header is the fixed head of a record.
type header struct {
	metadataSize, contentSize uint32
	metadataSum, contentSum   uint32
	received                  time.Time
	mark                      mark
}

// A mark is what became of the record.
type mark struct {
	state uint8
	store.Confirmation
}

// bodySize is the size of metadata and content, size that of the whole record
// without what fills it up.
func (h *header) bodySize() int64 { return int64(h.metadataSize) + int64(h.contentSize) }
func (h *header) size() int64     { return headerSize + h.bodySize() }

// end is where the next record begins if this one is at offset.
func (h *header) end(offset int64) int64 {
	return (offset + h.size() + align - 1) / align * align
}

// confirmation is nil while the record is pending.
func (h *header) confirmation() *store.Confirmation {
	if h.mark.state != confirmed {
		return nil
	}
	c := h.mark.Confirmation
	return &c
}

// appendRecord appends a record up to its content, and what follows that.
func appendRecord(b []byte, meta *store.Metadata, content []byte) (head []byte, padding int) {
	start := len(b)
	b = append(b, make([]byte, headerSize)...)
	b = appendMetadata(b, meta)
	encoded := b[start+headerSize:]
	h := header{
		metadataSize: uint32(len(encoded)),
		contentSize:  uint32(len(content)),
		metadataSum:  sum(encoded),
		contentSum:   sum(content),
		received:     meta.Received,
		mark:         mark{state: pending},
	}
	h.put(b[start:])
	return b, int(h.end(0) - h.size())
}

func (h *header) put(b []byte) {
	copy(b, recordMagic)
	le := binary.LittleEndian
	le.PutUint32(b[4:], h.metadataSize)
	le.PutUint32(b[8:], h.contentSize)
	le.PutUint32(b[12:], h.metadataSum)
	le.PutUint32(b[16:], h.contentSum)
	le.PutUint64(b[20:], uint64(stamp(h.received)))
	le.PutUint32(b[28:], sum(b[:28]))
	m := h.mark.encode()
	copy(b[markOffset:], m[:])
}

func (m mark) encode() [headerSize - markOffset]byte {
	var b [headerSize - markOffset]byte
	b[0] = m.state
	if m.Verified {
		b[1] = 1
	}
	binary.LittleEndian.PutUint32(b[4:], m.Number)
	binary.LittleEndian.PutUint64(b[8:], uint64(stamp(m.Created)))
	binary.LittleEndian.PutUint32(b[28:], sum(b[:28]))
	return b
}

func decodeMark(b []byte) mark {
	le := binary.LittleEndian
	if sum(b[:28]) != le.Uint32(b[28:]) || b[0] < pending || b[0] > dead {
		return mark{state: pending}
	}
	return mark{state: b[0], Confirmation: store.Confirmation{
		Number:   le.Uint32(b[4:]),
		Verified: b[1] != 0,
		Created:  unstamp(int64(le.Uint64(b[8:]))),
	}}
}

// decodeHeader reads the header of a record at offset in a pack of so many
// bytes; ok is false if there is none.
func decodeHeader(b []byte, offset, packSize int64) (h header, ok bool) {
	le := binary.LittleEndian
	if len(b) < headerSize || string(b[:4]) != recordMagic || sum(b[:28]) != le.Uint32(b[28:]) {
		return header{}, false
	}
	h = header{
		metadataSize: le.Uint32(b[4:]),
		contentSize:  le.Uint32(b[8:]),
		metadataSum:  le.Uint32(b[12:]),
		contentSum:   le.Uint32(b[16:]),
		received:     unstamp(int64(le.Uint64(b[20:]))),
		mark:         decodeMark(b[markOffset:headerSize]),
	}
	ok = h.metadataSize <= maxMetadata && h.contentSize <= store.SmallBlob && h.end(offset) <= packSize
	return h, ok
}

// readHeader reads the header at offset; ok is false if there is none.
func readHeader(r io.ReaderAt, offset, packSize int64) (h header, ok bool, err error) {
	if offset > packSize-headerSize {
		return header{}, false, nil
	}
	var b [headerSize]byte
	if _, err := r.ReadAt(b[:], offset); err != nil {
		return header{}, false, err
	}
	h, ok = decodeHeader(b[:], offset, packSize)
	return h, ok, nil
}

// readMetadata reads the metadata of the record at offset.
func readMetadata(r io.ReaderAt, offset int64, h header) (store.Metadata, error) {
	b := make([]byte, h.metadataSize)
	if _, err := r.ReadAt(b, offset+headerSize); err != nil && len(b) > 0 {
		return store.Metadata{}, err
	}
	if sum(b) != h.metadataSum {
		return store.Metadata{}, store.ErrDamaged
	}
	meta, err := decodeMetadata(b)
	if err != nil {
		return store.Metadata{}, store.ErrDamaged
	}
	return meta, nil
}

// readContent reads the content of the record at offset.
func readContent(r io.ReaderAt, offset int64, h header) ([]byte, error) {
	b := make([]byte, h.contentSize)
	if _, err := r.ReadAt(b, offset+headerSize+int64(h.metadataSize)); err != nil && len(b) > 0 {
		return nil, err
	}
	if sum(b) != h.contentSum {
		return nil, store.ErrDamaged
	}
	return b, nil
}

// scanRecords calls visit for each record of a pack. Where a record is missing,
// it continues at the next one that it finds, and reports this to damaged. It
// returns the end of the last record.
func scanRecords(r io.ReaderAt, packSize int64, visit func(offset int64, h header) error, damaged func(offset int64)) (end int64, err error) {
	end = packHeadSize
	for end < packSize {
		h, ok, err := readHeader(r, end, packSize)
		if err != nil {
			return end, err
		}
		at := end
		if !ok {
			if at, h, ok, err = findRecord(r, end+align, packSize); err != nil {
				return end, err
			}
			damaged(end)
			if !ok {
				return end, nil
			}
		}
		if err := visit(at, h); err != nil {
			return end, err
		}
		end = h.end(at)
	}
	return end, nil
}

// findRecord looks for the first record from offset on.
func findRecord(r io.ReaderAt, offset, packSize int64) (at int64, h header, ok bool, err error) {
	const chunk = 64 << 10
	buf := make([]byte, chunk)
	for ; offset < packSize; offset += chunk {
		n, err := r.ReadAt(buf[:min(chunk, packSize-offset)], offset)
		if err != nil && err != io.EOF {
			return 0, header{}, false, err
		}
		for i := 0; i+headerSize <= n; i += align {
			if h, ok := decodeHeader(buf[i:n], offset+int64(i), packSize); ok {
				return offset + int64(i), h, true, nil
			}
		}
	}
	return 0, header{}, false, nil
}
