package cksum

// A CRC is a remainder modulo P = x^32 + polynomial over GF(2): bit i of the
// number is the coefficient of x^i, addition is exclusive or. Appending n zero
// bytes to a content multiplies its CRC by x^(8n); appending B after them adds
// the CRC of B.

// Combine returns the checksum of a content A followed by B, from the
// checksums of both and their lengths in bytes. It takes O(log lenB) steps and
// is exact for all lengths whose sum fits an uint64.
func Combine(a, b uint32, lenA, lenB uint64) uint32 {
	crc := times(unfinish(a, lenA), zeroBytes(lenB)) ^ unfinish(b, lenB)
	return finish(crc, lenA+lenB)
}

// unfinish is the inverse of finish: the CRC of a content of the given length
// whose checksum is sum.
func unfinish(sum uint32, length uint64) uint32 {
	crc := ^sum ^ updateLength(0, length) // left: the content's CRC with zeros for the length's bytes
	for ; length != 0; length >>= 8 {
		for range 8 {
			crc = overX(crc)
		}
	}
	return crc
}

// zeroBytes returns x^(8n) mod P, by squaring.
func zeroBytes(n uint64) uint32 {
	power := uint32(1)
	for square := uint32(1 << 8); n != 0; n >>= 1 {
		if n&1 != 0 {
			power = times(power, square)
		}
		square = times(square, square)
	}
	return power
}

// times returns a·b mod P.
func times(a, b uint32) uint32 {
	var product uint32
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		a = timesX(a)
	}
	return product
}

// timesX returns a·x mod P.
func timesX(a uint32) uint32 {
	if a>>31 != 0 {
		return a<<1 ^ polynomial
	}
	return a << 1
}

// overX returns a/x mod P. P has the term 1, so adding P makes an odd a
// divisible by x.
func overX(a uint32) uint32 {
	if a&1 != 0 {
		return (a^polynomial)>>1 | 1<<31
	}
	return a >> 1
}
