package take

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/pack"
)

// A ref is a chunk that is in a pack, or will be.
type ref struct {
	pack  *openPack      // guarded by packer.mu; nil: not in a pack yet, or there before the run
	place snapshot.Place // guarded by packer.mu
	there bool           // guarded by packer.mu; place is final
}

// An openPack is a pack that is being filled, or was.
type openPack struct {
	number cache.Number
	sealed bytes.Buffer
	writer *pack.Writer
	places []snapshot.Place

	id     snapshot.PackID // once closed is
	closed chan struct{}
}

// provisional is what a pack is called until it has an id. No pack that there
// is has such a one: it would take a SHA-256 that begins so.
func (p *openPack) provisional() (id snapshot.PackID) {
	copy(id[:], "coffer, not yet a pack. ")
	binary.BigEndian.PutUint32(id[28:], uint32(p.number))
	return id
}

// A packer fills packs, one after another, and hands them to be put.
type packer struct {
	// static after construction
	run  *run
	puts *putter

	// Held while a pack waits to be put: who puts one never takes it.
	mu    sync.Mutex
	added *sync.Cond
	cur   *openPack                        // guarded by mu
	err   error                            // guarded by mu
	made  map[snapshot.PackID]cache.Number // guarded by mu; by id
	ids   map[cache.Number]snapshot.PackID // guarded by mu; the other way

	index sync.Mutex
	known map[snapshot.ChunkID]*ref // guarded by index; of this run, until the cache has them
}

func newPacker(r *run, puts *putter) *packer {
	p := &packer{run: r, puts: puts, known: map[snapshot.ChunkID]*ref{}, made: map[snapshot.PackID]cache.Number{}, ids: map[cache.Number]snapshot.PackID{}}
	p.added = sync.NewCond(&p.mu)
	return p
}

// claim is the ref of a chunk. Mine reports that the caller is to add it.
func (p *packer) claim(id snapshot.ChunkID) (r *ref, mine bool) {
	p.index.Lock()
	r = p.known[id]
	mine = r == nil
	if mine {
		r = &ref{}
		p.known[id] = r
	}
	p.index.Unlock()
	if !mine {
		return r, false
	}
	place, ok := p.run.cache.Chunk(id)
	if !ok {
		return r, true
	}
	p.mu.Lock()
	r.place, r.there = place, true
	p.added.Broadcast()
	p.mu.Unlock()
	p.settled([]snapshot.Place{place})
	return r, false
}

// add puts a chunk's frame into a pack.
func (p *packer) add(r *ref, id snapshot.ChunkID, size int, frame []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.added.Broadcast()
	if p.err != nil {
		return p.err
	}
	err := p.addLocked(r, id, size, frame)
	if err != nil {
		p.err = err
	}
	return err
}

func (p *packer) addLocked(r *ref, id snapshot.ChunkID, size int, frame []byte) error {
	if p.cur == nil {
		if err := p.openLocked(); err != nil {
			return err
		}
	}
	place, err := p.cur.writer.Add(id, size, frame)
	if err != nil {
		return err
	}
	r.pack, r.place = p.cur, place
	p.cur.places = append(p.cur.places, place)
	if p.cur.writer.Full() {
		return p.closeLocked()
	}
	return nil
}

func (p *packer) openLocked() (err error) {
	o := &openPack{number: p.run.cache.Reserve(), closed: make(chan struct{})}
	o.sealed = p.puts.buffer()
	if o.writer, err = pack.NewWriter(&o.sealed, p.run.keys.Recipient); err != nil {
		return err
	}
	p.cur = o
	return nil
}

func (p *packer) closeLocked() error {
	o := p.cur
	p.cur = nil
	var err error
	if o.id, _, err = o.writer.Close(); err != nil {
		return err
	}
	o.writer = nil
	p.made[o.id], p.ids[o.number] = o.number, o.id
	close(o.closed)
	return p.puts.add(p, o)
}

// flush closes a pack that is not full, if it is still open.
func (p *packer) flush(o *openPack) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur == nil || o != nil && p.cur != o {
		return nil
	}
	return p.closeLocked()
}

// fail wakes who waits.
func (p *packer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.added.Broadcast()
}

// inPack waits until a chunk is in a pack, which is nil if it was there before.
func (p *packer) inPack(r *ref) (*openPack, snapshot.Place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r.pack == nil && !r.there && p.err == nil {
		p.added.Wait()
	}
	if r.pack == nil && !r.there {
		return nil, snapshot.Place{}, p.err
	}
	return r.pack, r.place, nil
}

// number is that of a pack that this run made.
func (p *packer) number(id snapshot.PackID) (cache.Number, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.made[id]
	return n, ok
}

// settled drops refs that the cache has.
func (p *packer) settled(places []snapshot.Place) {
	p.index.Lock()
	defer p.index.Unlock()
	for i := range places {
		delete(p.known, places[i].ID)
	}
}

// A putter sends packs, some at once.
type putter struct {
	run   *run
	queue chan sealedPack
	free  chan bytes.Buffer
	ended chan struct{} // closed once everything was handed over
}

type sealedPack struct {
	from *packer
	pack *openPack
}

// underway is how many packs are sent at once.
const underway = 2

func newPutter(r *run) *putter {
	return &putter{run: r, queue: make(chan sealedPack), ended: make(chan struct{}), free: make(chan bytes.Buffer, underway+1)}
}

func (p *putter) buffer() bytes.Buffer {
	select {
	case b := <-p.free:
		return b
	default:
		var b bytes.Buffer
		b.Grow(pack.Full + 2<<20) // mostly enough; what is not used takes no memory
		return b
	}
}

// add hands a pack over once one of those that are under way has arrived.
func (p *putter) add(from *packer, o *openPack) error {
	select {
	case p.queue <- sealedPack{from, o}:
		return nil
	case <-p.run.ctx.Done():
		return context.Cause(p.run.ctx)
	}
}

func (p *putter) end() { close(p.ended) }

func (p *putter) put(ctx context.Context, s sealedPack) error {
	o := s.pack
	if !p.run.opts.DryRun {
		if err := p.run.repo.Put(ctx, p.run.id, o.id, o.sealed.Bytes()); err != nil {
			return fmt.Errorf("send a pack: %w", err)
		}
		for i := range o.places {
			o.places[i].Pack = o.id
		}
		if err := p.run.cache.AddPack(o.number, o.id, o.places); err != nil {
			return err
		}
		s.from.settled(o.places)
	}
	p.run.stored.Add(uint64(o.sealed.Len()))
	p.run.sent.Add(1)
	o.places = nil
	o.sealed.Reset()
	select {
	case p.free <- o.sealed:
	default:
	}
	o.sealed = bytes.Buffer{}
	p.run.progress.at("")
	return nil
}

// work sends packs until there are no more.
func (p *putter) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range underway {
		group.Go(func() error {
			for {
				select {
				case s := <-p.queue:
					if err := p.put(ctx, s); err != nil {
						return err
					}
				case <-p.ended:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		})
	}
	return group.Wait()
}
