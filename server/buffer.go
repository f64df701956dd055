package server

import (
	"io"
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

// each reads size bytes of content and has them worked on, a piece at a time,
// until work fails.
func (b *buffer) each(content io.Reader, size int64, work func(piece []byte) error) error {
	for size > 0 {
		n, err := io.ReadFull(content, b.in[:min(int64(len(b.in)), size)])
		size -= int64(n)
		if n > 0 {
			if workErr := work(b.piece(n)); workErr != nil {
				return workErr
			}
		}
		switch {
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
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
