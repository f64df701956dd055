package cut

import (
	"crypto/aes"
	"encoding/binary"
)

// A scan looks for the end of one chunk in content that comes piece by piece.
type scan struct {
	hash  uint64
	at    int                 // how much of the chunk has been looked at
	block [aes.BlockSize]byte // room for a candidate and its encryption
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
	s.hash, s.at = c.warmed(chunk[Min-window:Min]), Min
}

// until looks for a boundary up to a size.
func (s *scan) until(c *Cutter, chunk []byte, to int, bits uint) int {
	for s.at >= Min && s.at < to {
		var n int
		s.hash, n = c.candidate(s.hash, chunk[s.at:to])
		s.at += n
		if s.hash < candidate && s.isBoundary(c, bits) {
			return s.at
		}
	}
	return 0
}

// candidate is the first hash that a boundary can have, and after how many
// bytes; or the hash after all of them. It is where cutting spends its time.
func (c *Cutter) candidate(hash uint64, content []byte) (uint64, int) {
	rest := content
	for len(rest) >= lanes*lane {
		end, none := c.lanes(hash, (*[lanes * lane]byte)(rest))
		if !none {
			break // the loop below finds out where
		}
		hash, rest = end, rest[lanes*lane:]
	}
	for len(rest) > 0 {
		hash = hash<<1 + c.table[rest[0]]
		rest = rest[1:]
		if hash < candidate {
			break
		}
	}
	return hash, len(content) - len(rest)
}

// Content is hashed at four places at once: one hash alone waits for itself at
// every byte.
const (
	lanes = 4
	lane  = 1 << 10
)

// lanes returns the hash after a block, if there is no candidate in it.
func (c *Cutter) lanes(h0 uint64, block *[lanes * lane]byte) (end uint64, none bool) {
	h1 := c.warmed(block[1*lane-window : 1*lane])
	h2 := c.warmed(block[2*lane-window : 2*lane])
	h3 := c.warmed(block[3*lane-window : 3*lane])
	table := &c.table
	for i := range lane {
		h0 = h0<<1 + table[block[i]]
		h1 = h1<<1 + table[block[i+lane]]
		h2 = h2<<1 + table[block[i+2*lane]]
		h3 = h3<<1 + table[block[i+3*lane]]
		if h0 < candidate || h1 < candidate || h2 < candidate || h3 < candidate {
			return 0, false
		}
	}
	return h3, true
}

// warmed is the hash of a window.
func (c *Cutter) warmed(content []byte) (hash uint64) {
	for _, b := range content {
		hash = hash<<1 + c.table[b]
	}
	return hash
}

// candidate is what hashes of a candidate are below.
const candidate = 1 << (64 - candidateBits)

// isBoundary decides about a candidate.
func (s *scan) isBoundary(c *Cutter, bits uint) bool {
	clear(s.block[:])
	binary.BigEndian.PutUint64(s.block[8:], s.hash)
	c.block.Encrypt(s.block[:], s.block[:])
	return s.block[aes.BlockSize-1]&(1<<bits-1) == 0
}
