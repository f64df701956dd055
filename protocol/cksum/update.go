package cksum

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// polynomial is P without its term x^32.
const polynomial = 0x04C11DB7

// table holds the CRC of each byte; it is never written again.
var table = makeTable()

func makeTable() (t [256]uint32) {
	for i := range t {
		crc := uint32(i) << 24
		for range 8 {
			crc = timesX(crc)
		}
		t[i] = crc
	}
	return t
}

// updateByte adds one byte to crc.
func updateByte(crc uint32, b byte) uint32 {
	return crc<<8 ^ table[byte(crc>>24)^b]
}

// updateBytes adds p to crc byte by byte, the best way for a handful.
func updateBytes(crc uint32, p []byte) uint32 {
	for _, b := range p {
		crc = updateByte(crc, b)
	}
	return crc
}

const (
	// reverseMin is the length from which the detour over hash/crc32 pays.
	reverseMin = 512
	// reverseMax bounds the buffer of that detour: small enough for the
	// first-level cache.
	reverseMax = 4096
)

// updatePortable adds p to crc by means of hash/crc32, which has fast code for
// most machines, but knows this polynomial only with the least significant bit
// first: it gets each byte's bits in reverse and gives the reverse of the CRC.
func updatePortable(crc uint32, p []byte) uint32 {
	if len(p) < reverseMin {
		return updateBytes(crc, p)
	}
	buf := make([]byte, min(len(p), reverseMax))
	reflected := ^bits.Reverse32(crc) // hash/crc32 complements what it takes and gives
	for len(p) > 0 {
		n := reverseBits(buf, p)
		reflected = crc32.Update(reflected, crc32.IEEETable, buf[:n])
		p = p[n:]
	}
	return bits.Reverse32(^reflected)
}

// reverseBits copies as much of src to dst as fits, the bits of each byte in
// reverse, and returns the number of bytes.
func reverseBits(dst, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	for len(src) >= 8 && len(dst) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		v = v>>1&0x5555555555555555 | v&0x5555555555555555<<1
		v = v>>2&0x3333333333333333 | v&0x3333333333333333<<2
		v = v>>4&0x0F0F0F0F0F0F0F0F | v&0x0F0F0F0F0F0F0F0F<<4
		binary.LittleEndian.PutUint64(dst, v)
		dst, src = dst[8:], src[8:]
	}
	for i, b := range src {
		dst[i] = bits.Reverse8(b)
	}
	return n
}

// timesX returns a·x mod P.
func timesX(a uint32) uint32 {
	if a>>31 != 0 {
		return a<<1 ^ polynomial
	}
	return a << 1
}
