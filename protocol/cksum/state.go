package cksum

import (
	"encoding"
	"encoding/binary"
	"errors"
)

// magic opens every saved state; its last byte is the version of the layout.
const magic = "cks\x01"

// stateSize is the length of a saved state:
//
//	magic[4], crc u32, length u64, both big-endian
const stateSize = len(magic) + 4 + 8

// ErrState is returned by [Digest.UnmarshalBinary] for bytes that no Digest
// has saved.
var ErrState = errors.New("cksum: not a saved state")

var (
	_ encoding.BinaryMarshaler   = (*Digest)(nil)
	_ encoding.BinaryAppender    = (*Digest)(nil)
	_ encoding.BinaryUnmarshaler = (*Digest)(nil)
)

// MarshalBinary returns the state as 16 bytes, from which
// [Digest.UnmarshalBinary] resumes. Its error is always nil.
func (d *Digest) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, stateSize))
}

// AppendBinary appends the bytes of [Digest.MarshalBinary] to b. Its error is
// always nil.
func (d *Digest) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, d.crc)
	b = binary.BigEndian.AppendUint64(b, d.length)
	return b, nil
}

// UnmarshalBinary takes over a state that [Digest.MarshalBinary] returned.
// Anything else is [ErrState] and leaves d as it was.
func (d *Digest) UnmarshalBinary(state []byte) error {
	if len(state) != stateSize || string(state[:len(magic)]) != magic {
		return ErrState
	}
	saved := Digest{
		crc:    binary.BigEndian.Uint32(state[len(magic):]),
		length: binary.BigEndian.Uint64(state[len(magic)+4:]),
	}
	if saved.length == 0 && saved.crc != 0 {
		return ErrState // no content has no CRC
	}
	*d = saved
	return nil
}
