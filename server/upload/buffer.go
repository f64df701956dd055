package upload

import (
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

// maxBuffers is how many are lent at once. Nobody keeps one while waiting for
// a peer, so that this bounds memory and not how many can send.
const maxBuffers = 128

// A bufferPool lends buffers to the requests that have content, for as long as
// they work on some: connections that wait for it keep none.
type bufferPool struct {
	pool  sync.Pool
	slots chan struct{}
}

func newBufferPool() *bufferPool {
	return &bufferPool{pool: sync.Pool{New: func() any { return new(buffer) }}, slots: make(chan struct{}, maxBuffers)}
}

// A lease is a buffer that is lent. Who waits for one holds no lock.
type lease struct {
	*buffer
	pool *bufferPool
}

func (p *bufferPool) get() *lease {
	p.slots <- struct{}{}
	return &lease{p.pool.Get().(*buffer), p}
}

// release gives the buffer back, unless that has been done.
func (l *lease) release() {
	if l.buffer == nil {
		return
	}
	l.pool.back(l.buffer)
	l.buffer = nil
	<-l.pool.slots
}

// back takes a buffer back. Plaintext does not stay in it.
func (p *bufferPool) back(b *buffer) {
	clear(b.out[:b.used])
	b.used = 0
	p.pool.Put(b)
}

// A Source is content as it comes.
type Source interface {
	Wait() error                      // until there is something to read
	Fill(b []byte) (n int, err error) // with what is there
}

// each reads size bytes of content and has them worked on, a piece at a time,
// until work fails.
func (p *bufferPool) each(content Source, size int64, work func(b *lease, piece []byte) error) error {
	for size > 0 {
		n, err := p.piece(content, size, work)
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}

func (p *bufferPool) piece(content Source, size int64, work func(b *lease, piece []byte) error) (int64, error) {
	if err := content.Wait(); err != nil {
		return 0, err
	}
	b := p.get()
	defer b.release()
	n, err := content.Fill(b.in[:min(int64(len(b.in)), size)])
	if n > 0 {
		if workErr := work(b, b.piece(n)); workErr != nil {
			return int64(n), workErr
		}
	}
	return int64(n), err
}
