//go:build !purego

package cksum

import "sync"

// foldMin is the length from which folding pays.
const foldMin = 64

// canFold reports whether this processor has the instructions that fold uses.
// It is asked once: under a hypervisor the question costs a microsecond.
var canFold = sync.OnceValue(cpuHasCLMUL)

// update adds p to crc.
func update(crc uint32, p []byte) uint32 {
	if len(p) >= foldMin && canFold() {
		return updateFolding(crc, p)
	}
	return updatePortable(crc, p)
}

// updateFolding adds p, at least foldMin bytes, to crc: all but the last few
// bytes shrink to 16 that have the same remainder.
func updateFolding(crc uint32, p []byte) uint32 {
	whole := len(p) &^ 15
	var folded [16]byte
	fold(&folded, crc, p[:whole])
	return updateBytes(updateBytes(0, folded[:]), p[whole:])
}

// foldFactors are the powers of x modulo P by which fold multiplies the lower
// and upper half of 16 bytes to move them 64 bytes, or 16 bytes, onwards.
var foldFactors = struct{ by64Low, by64High, by16Low, by16High uint64 }{
	by64Low:  0xE6228B11, // x^512
	by64High: 0x8833794C, // x^(512+64)
	by16Low:  0xE8A45605, // x^128
	by16High: 0xC5B9CD4C, // x^(128+64)
}

// fold sets folded to 16 bytes whose CRC, starting at 0, is that of p starting
// at crc. The length of p is a multiple of 16 and at least 64.
//
//go:noescape
func fold(folded *[16]byte, crc uint32, p []byte)

// cpuHasCLMUL reports whether the processor has PCLMULQDQ and SSSE3.
//
//go:noescape
func cpuHasCLMUL() bool
