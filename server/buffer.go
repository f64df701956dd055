package server

import (
	"maps"
	"slices"
	"sync"

	"coffer/protocol/crypt"
)

// pieceSize is how much of a packet is read and worked on at a time.
const pieceSize = 256 << 10

// A buffer is what a request with content works in: a piece as it came, and
// room for what it decrypts to.
type buffer struct {
	in  [pieceSize]byte
	out [pieceSize + 2*crypt.BlockSize]byte

	used int // bytes of out that plaintext may be in
}

// piece is the first n bytes of in, about to be worked on.
func (b *buffer) piece(n int) []byte {
	b.used = max(b.used, n+2*crypt.BlockSize)
	return b.in[:n]
}

// A bufferPool lends buffers to the requests that have content, so that idle
// connections keep none.
type bufferPool struct{ pool sync.Pool }

func newBufferPool() *bufferPool {
	return &bufferPool{pool: sync.Pool{New: func() any { return new(buffer) }}}
}

func (p *bufferPool) get() *buffer { return p.pool.Get().(*buffer) }

// put takes a buffer back. Plaintext does not stay in it.
func (p *bufferPool) put(b *buffer) {
	clear(b.out[:b.used])
	b.used = 0
	p.pool.Put(b)
}

func sortedKeys(m map[uint32]region) []uint32 { return slices.Sorted(maps.Keys(m)) }
