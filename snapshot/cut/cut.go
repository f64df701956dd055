// Package cut cuts content into chunks where the content says: FastCDC, so that
// a byte that is inserted changes one chunk. Where it cuts depends on a secret
// key, so that the sizes of chunks do not say which file it is.
//
// It neither reads files nor keeps chunks.
package cut

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Sizes of chunks.
const (
	Min = 512 << 10
	Avg = 1 << 20
	Max = 8 << 20
)

// window is how many bytes before a boundary decide about it: a bit of the hash
// is gone after 64 of them.
const window = 64

// A boundary is where the hash of the window has its upper candidateBits zero,
// which is cheap to see, and the lowest bits of its encryption as well. So
// boundaries that somebody observes say nothing about the table. Before Avg
// more bits are asked for than after it, which brings sizes near it.
const (
	candidateBits = 16
	earlyBits     = 6 // one in 4 MiB
	lateBits      = 2 // one in 256 KiB
)

// A Cutter knows where one key cuts. Safe for concurrent use.
type Cutter struct {
	table [256]uint64
	block cipher.Block
}

// New returns the cutter of a key.
func New(key [32]byte) (*Cutter, error) {
	const tableSize = 256 * 8
	var c Cutter
	block, err := hkdf.Expand(sha256.New, key[:], "coffer cut boundary v1", 16)
	if err != nil {
		return nil, fmt.Errorf("derive the keys of a cutter: %w", err)
	}
	if c.block, err = aes.NewCipher(block); err != nil {
		return nil, fmt.Errorf("derive the keys of a cutter: %w", err)
	}
	table, err := hkdf.Expand(sha256.New, key[:], "coffer cut table v1", tableSize)
	if err != nil {
		return nil, fmt.Errorf("derive the keys of a cutter: %w", err)
	}
	for i := range c.table {
		c.table[i] = binary.BigEndian.Uint64(table[8*i:])
	}
	return &c, nil
}
