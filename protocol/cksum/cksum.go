// Package cksum computes the checksum of the POSIX cksum utility, which the
// protocol compares plaintexts by (docs/protocol.md, "Base requests").
//
// It is CRC-32 with polynomial 0x04C11DB7, most significant bit first,
// starting at 0; after the content come the bytes of its length, least
// significant first and without leading zeros, and the result is complemented.
// It finds accidents, not attackers: the package is no message authentication.
package cksum

import (
	"encoding/binary"
	"hash"
)

// Size is the length of a checksum in bytes.
const Size = 4

// Digest is a running checksum. The zero value has seen no bytes and is ready
// for use; it takes no more memory than its two numbers, however much is
// written to it. It is not safe for concurrent use.
type Digest struct {
	crc    uint32 // of the content alone, neither length nor complement applied
	length uint64 // bytes of content so far
}

var (
	_ hash.Hash32 = (*Digest)(nil)
	_ hash.Cloner = (*Digest)(nil)
)

// New returns a Digest that has seen no bytes.
func New() *Digest { return new(Digest) }

// Sum returns the checksum of p.
func Sum(p []byte) uint32 {
	return finish(update(0, p), uint64(len(p)))
}

// Write adds p to the content. It never fails and does not keep p.
func (d *Digest) Write(p []byte) (int, error) {
	d.crc = update(d.crc, p)
	d.length += uint64(len(p))
	return len(p), nil
}

// Sum32 returns the checksum of what was written so far. More may follow.
func (d *Digest) Sum32() uint32 { return finish(d.crc, d.length) }

// Sum appends the checksum of what was written so far to b, most significant
// byte first as hash.Hash32 wants it (on the wire it is little-endian).
func (d *Digest) Sum(b []byte) []byte { return binary.BigEndian.AppendUint32(b, d.Sum32()) }

// Len returns how many bytes were written so far.
func (d *Digest) Len() uint64 { return d.length }

// Reset forgets what was written.
func (d *Digest) Reset() { *d = Digest{} }

// Size returns the length of a checksum in bytes, 4.
func (d *Digest) Size() int { return Size }

// BlockSize returns 1: writes of any length are equally welcome.
func (d *Digest) BlockSize() int { return 1 }

// Clone returns an independent *Digest in the same state. Its error is always
// nil.
func (d *Digest) Clone() (hash.Cloner, error) {
	c := *d
	return &c, nil
}

// finish turns the CRC of a content into its checksum.
func finish(crc uint32, length uint64) uint32 {
	return ^updateLength(crc, length)
}

// updateLength adds the bytes of length to crc, least significant first and
// none for the zeros above the most significant one.
func updateLength(crc uint32, length uint64) uint32 {
	for ; length != 0; length >>= 8 {
		crc = updateByte(crc, byte(length))
	}
	return crc
}
