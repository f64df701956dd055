package cut

import (
	"crypto/aes"
	"encoding/binary"
)

// A scan looks for the end of one chunk in content that comes piece by piece.
type scan struct {
	hash uint64
	at   int // how much of the chunk has been looked at
}

// find looks at the chunk from where it stopped, and returns where it ends, or
// 0 if it goes on after what there is. The whole chunk so far is given again.
func (s *scan) find(c *Cutter, chunk []byte) int {
	s.warm(c, chunk)
	early := min(len(chunk), Avg)
	if end := s.until(c, chunk, early, earlyBits); end > 0 {
		return end
	}
	if end := s.until(c, chunk, min(len(chunk), Max), lateBits); end > 0 {
		return end
	}
	if s.at >= Max {
		return Max
	}
	return 0
}

// warm skips to the least size of a chunk, with the window before it hashed.
func (s *scan) warm(c *Cutter, chunk []byte) {
	if s.at >= Min || len(chunk) < Min {
		return
	}
	s.hash = 0
	for _, b := range chunk[Min-window : Min] {
		s.hash = s.hash<<1 + c.table[b]
	}
	s.at = Min
}

// until looks for a boundary up to a size.
func (s *scan) until(c *Cutter, chunk []byte, to int, bits uint) int {
	if s.at < Min || s.at >= to {
		return 0
	}
	hash := s.hash
	for i, b := range chunk[s.at:to] {
		hash = hash<<1 + c.table[b]
		if hash < 1<<(64-candidateBits) && c.isBoundary(hash, bits) {
			return s.at + i + 1
		}
	}
	s.hash, s.at = hash, to
	return 0
}

// isBoundary decides about a candidate.
func (c *Cutter) isBoundary(hash uint64, bits uint) bool {
	var block [aes.BlockSize]byte
	binary.BigEndian.PutUint64(block[8:], hash)
	c.block.Encrypt(block[:], block[:])
	return block[aes.BlockSize-1]&(1<<bits-1) == 0
}
