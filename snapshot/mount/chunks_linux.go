//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/singleflight"

	"coffer/snapshot"
)

// What is kept in memory, and how much is fetched at once.
const (
	treeRoom  = 32 << 20 // of decoded trees
	dataRoom  = 32 << 20 // of content
	fetchers  = 8
	treeGrows = 6 // how much larger a tree is in memory than in its piece
)

// A chunk is what was read of a snapshot.
type chunk struct {
	raw     []byte // not of trees
	entries []snapshot.Entry
	pack    snapshot.PackID
	weight  int
}

type chunkKey struct {
	kind snapshot.Kind
	pack snapshot.PackID
	id   snapshot.ChunkID
}

// chunks keeps the chunks that were used last, and fetches each that is asked
// for once, for all who ask. Safe for concurrent use.
type chunks struct {
	ctx     context.Context // of the mount: what one stops waiting for, others may want
	flights singleflight.Group
	slots   chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	room   int
	held   int
	at     map[chunkKey]*list.Element // of *kept
	recent *list.List                 // the one used last first
}

type kept struct {
	key chunkKey
	*chunk
}

func newChunks(ctx context.Context, room int) *chunks {
	return &chunks{ctx: ctx, slots: make(chan struct{}, fetchers), room: room, at: map[chunkKey]*list.Element{}, recent: list.New()}
}

// wait returns once nothing is fetched any more.
func (c *chunks) wait() { c.running.Wait() }

// get returns a chunk.
func (c *chunks) get(from Chunks, kind snapshot.Kind, p snapshot.Place) (*chunk, error) {
	key := chunkKey{kind, p.Pack, p.ID}
	if found := c.find(key); found != nil {
		return found, nil
	}
	got, err, _ := c.flights.Do(fmt.Sprintf("%d%s%s", kind, p.Pack, p.ID), func() (any, error) { return c.fetch(from, key, p) })
	if err != nil {
		return nil, err
	}
	return got.(*chunk), nil
}

func (c *chunks) fetch(from Chunks, key chunkKey, p snapshot.Place) (*chunk, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
	if found := c.find(key); found != nil {
		return found, nil // another flight has just ended
	}
	raw, pack, err := from.Chunk(c.ctx, key.kind, p)
	if err != nil {
		return nil, err
	}
	got := &chunk{raw: raw, pack: pack, weight: len(raw)}
	if key.kind == snapshot.Tree {
		if got.entries, err = snapshot.DecodeTree(raw, pack); err != nil {
			return nil, err
		}
		got.raw, got.weight = nil, treeGrows*len(raw)
	}
	c.keep(key, got)
	return got, nil
}

func (c *chunks) find(key chunkKey) *chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.at[key]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(at)
	return at.Value.(kept).chunk
}

func (c *chunks) keep(key chunkKey, got *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[key] = c.recent.PushFront(kept{key, got})
	c.held += got.weight
	for c.held > c.room && c.recent.Len() > 1 {
		oldest := c.recent.Remove(c.recent.Back()).(kept)
		delete(c.at, oldest.key)
		c.held -= oldest.weight
	}
}

// prefetch fetches a chunk that is likely to be asked for, unless much is being
// fetched already.
func (c *chunks) prefetch(from Chunks, kind snapshot.Kind, p snapshot.Place) {
	if len(c.slots) > cap(c.slots)/2 || c.find(chunkKey{kind, p.Pack, p.ID}) != nil {
		return
	}
	c.running.Go(func() {
		// What fails is asked for again, and fails again then.
		_, _ = c.get(from, kind, p)
	})
}
