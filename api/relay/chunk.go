package relay

import (
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// smallChunk is what a call has of memory before its body has brought more.
	smallChunk = 16 << 10
	// chunkGrowth is how much larger the next chunk is, once one is full.
	chunkGrowth = 4
	// chunkMemory bounds what all larger chunks take together, in bytes.
	chunkMemory = 192 << 20
)

// A chunk is memory for a part of a packet on its way to the core.
type chunk struct{ bytes []byte }

// chunkPool lends chunks to the packets under way. A small one there is for
// each call; larger ones as long as there is memory for them: without, packets
// go to the core in smaller parts.
type chunkPool struct {
	small, large sync.Pool
	memory       *semaphore.Weighted
}

func newChunkPool(memory int64) *chunkPool {
	return &chunkPool{
		small:  sync.Pool{New: func() any { return &chunk{make([]byte, smallChunk)} }},
		large:  sync.Pool{New: func() any { return &chunk{make([]byte, pieceSize)} }},
		memory: semaphore.NewWeighted(memory),
	}
}

func (p *chunkPool) get() *chunk { return p.small.Get().(*chunk) }

// grow moves what a full chunk holds into a larger one, and takes the full one
// back. It returns the same chunk if there is no larger one to be had.
func (p *chunkPool) grow(full *chunk) *chunk {
	size := min(len(full.bytes)*chunkGrowth, pieceSize)
	if size == len(full.bytes) || !p.memory.TryAcquire(int64(size)) {
		return full
	}
	var larger *chunk
	if size == pieceSize {
		larger = p.large.Get().(*chunk)
	} else {
		larger = &chunk{make([]byte, size)}
	}
	copy(larger.bytes, full.bytes)
	p.put(full)
	return larger
}

func (p *chunkPool) put(c *chunk) {
	switch len(c.bytes) {
	case smallChunk:
		p.small.Put(c)
		return
	case pieceSize:
		p.large.Put(c)
	}
	p.memory.Release(int64(len(c.bytes)))
}
