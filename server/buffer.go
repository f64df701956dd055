package server

import (
	"maps"
	"slices"
	"sync"

	"coffer/protocol/crypt"
)

// pieceSize is how much of a packet is read and worked on at a time.
const pieceSize = 128 << 10

// A buffer is what a request with content works in: a piece as it came, and
// room for what it decrypts to.
type buffer struct {
	in  [pieceSize]byte
	out [pieceSize + 2*crypt.BlockSize]byte
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
	clear(b.out[:])
	p.pool.Put(b)
}

func sortedKeys(m map[uint32]region) []uint32 { return slices.Sorted(maps.Keys(m)) }
