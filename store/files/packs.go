package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/store"
)

// packs are all packs of a folder. The one with the highest number is active:
// what is put goes to its end. That one is never removed, so that numbers are
// not used again.
type packs struct {
	files packFiles
	limit int64
	queue chan *put
	ended chan struct{}

	sending sync.RWMutex // held for reading while sending to queue
	closed  bool

	mu     sync.RWMutex
	active int      // 0 before the first; guarded by mu
	file   packFile // of the active pack; nil while there is none; guarded by mu
	size   int64    // what of it is synced; guarded by mu

	marks sync.Mutex          // held while a mark changes; taken before mu
	known map[int]*packCounts // guarded by marks
}

// packCounts is what this process knows about a pack.
type packCounts struct {
	live    int // records that are not dead
	counted bool
	marked  bool      // marks were changed and not synced
	newest  time.Time // latest Received of a record; zero if not known
}

func openPacks(files packFiles, limit int64) (*packs, error) {
	p := &packs{
		files: files,
		limit: limit,
		queue: make(chan *put, maxGroup),
		ended: make(chan struct{}),
		known: make(map[int]*packCounts),
	}
	numbers, err := p.numbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		if err := p.resume(numbers[len(numbers)-1]); err != nil {
			return nil, fmt.Errorf("read the last pack: %w", err)
		}
	}
	go p.appendLoop()
	return p, nil
}

// close finishes what is queued.
func (p *packs) close() error {
	p.sending.Lock()
	again := p.closed
	p.closed = true
	p.sending.Unlock()
	if again {
		return nil
	}
	close(p.queue)
	<-p.ended
	p.marks.Lock()
	defer p.marks.Unlock()
	var errs []error
	for number, counts := range p.known {
		if counts.marked && number != p.active {
			errs = append(errs, ifThere(p.syncPack(number)))
		}
	}
	if p.file != nil {
		errs = append(errs, p.file.Sync(), p.file.Close())
	}
	return errors.Join(errs...)
}

func (p *packs) syncPack(number int) error {
	f, err := p.files.open(number)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// numbers lists the packs, in order.
func (p *packs) numbers() ([]int, error) {
	list, err := p.files.list()
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range list {
		if n := packNumber(name); n != 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// with calls use with a pack and how much of it there is.
func (p *packs) with(number int, use func(f packFile, size int64) error) error {
	p.mu.RLock()
	if number == p.active && p.file != nil {
		defer p.mu.RUnlock()
		return use(p.file, p.size)
	}
	p.mu.RUnlock()
	return p.alone(number, use)
}

// alone is with on an open file of its own, for what takes longer.
func (p *packs) alone(number int, use func(f packFile, size int64) error) error {
	f, err := p.files.open(number)
	if err != nil {
		return orNoBlob(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	p.mu.RLock()
	if number == p.active {
		size = min(size, p.size)
	}
	p.mu.RUnlock()
	return use(f, size)
}

// A packedBlob is in memory: its record may go while it is read.
type packedBlob struct{ *bytes.Reader }

// Close implements store.Blob.
func (packedBlob) Close() error { return nil }

func (p *packs) read(at place) (store.Blob, error) {
	var content []byte
	err := p.with(at.pack, func(f packFile, size int64) error {
		h, err := liveHeader(f, at.offset, size)
		if err != nil {
			return err
		}
		if content, err = readContent(f, at.offset, h); errors.Is(err, store.ErrDamaged) {
			// Unless it was removed between its header and its content.
			if _, gone := liveHeader(f, at.offset, size); gone != nil {
				return gone
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return packedBlob{bytes.NewReader(content)}, nil
}

// liveHeader reads the header of a record that is not dead.
func liveHeader(f packFile, offset, size int64) (header, error) {
	h, ok, err := readHeader(f, offset, size)
	if err == nil && (!ok || h.mark.state == dead) {
		err = store.ErrNoBlob
	}
	return h, err
}

func (p *packs) confirm(at place, c store.Confirmation) error {
	return p.setMark(at, mark{state: confirmed, Confirmation: c})
}

// remove marks a record dead. The pack goes with its last live record.
func (p *packs) remove(at place) error {
	return p.setMark(at, mark{state: dead})
}

func (p *packs) setMark(at place, m mark) error {
	p.marks.Lock()
	defer p.marks.Unlock()
	err := p.with(at.pack, func(f packFile, size int64) error {
		h, err := liveHeader(f, at.offset, size)
		if err != nil {
			return err
		}
		b := m.encode()
		if _, err := f.WriteAt(b[:], at.offset+markOffset); err != nil {
			return err
		}
		if m.state == dead {
			return f.Punch(at.offset+headerSize, h.bodySize())
		}
		return nil
	})
	if err != nil {
		return err
	}
	counts := p.countsLocked(at.pack)
	counts.marked = true
	if m.state != dead {
		return nil
	}
	if counts.counted {
		counts.live--
	} else if err := p.countLocked(at.pack, counts); err != nil {
		return err
	}
	return p.dropEmptyLocked(at.pack)
}

func (p *packs) countsLocked(number int) *packCounts {
	counts := p.known[number]
	if counts == nil {
		counts = new(packCounts)
		p.known[number] = counts
	}
	return counts
}

// countLocked counts the live records of a pack. What is damaged counts as
// live, so that it stays.
func (p *packs) countLocked(number int, counts *packCounts) error {
	live := 0
	err := p.with(number, func(f packFile, size int64) error {
		_, err := scanRecords(f, size, func(_ int64, h header) error {
			if h.mark.state != dead {
				live++
			}
			return nil
		}, func(int64) { live++ })
		return err
	})
	if err != nil {
		return err
	}
	counts.live, counts.counted = live, true
	return nil
}

// dropEmptyLocked removes a pack that has no live record and will get none.
func (p *packs) dropEmptyLocked(number int) error {
	counts := p.known[number]
	p.mu.RLock()
	active := number >= p.active
	p.mu.RUnlock()
	if active || counts == nil || !counts.counted || counts.live > 0 {
		return nil
	}
	delete(p.known, number)
	return ifThere(p.files.remove(number))
}

// walk visits the blobs in the packs that are wanted.
func (p *packs) walk(ctx context.Context, wanted func(number int) (bool, error), visit func(store.StoredBlob) error, harm *damage) error {
	numbers, err := p.numbers()
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if want, err := wanted(number); err != nil {
			return err
		} else if !want {
			continue
		}
		if err := p.walkOne(ctx, number, visit, harm); err != nil {
			return err
		}
	}
	return nil
}

// walkOne visits one pack. It may have been removed since it was listed.
func (p *packs) walkOne(ctx context.Context, number int, visit func(store.StoredBlob) error, harm *damage) error {
	opened := false
	err := p.alone(number, func(f packFile, size int64) error {
		opened = true
		return walkPack(ctx, number, f, size, visit, harm)
	})
	if !opened && errors.Is(err, store.ErrNoBlob) {
		return nil
	}
	return err
}

func walkPack(ctx context.Context, number int, f packFile, size int64, visit func(store.StoredBlob) error, harm *damage) error {
	_, err := scanRecords(f, size, func(offset int64, h header) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.mark.state == dead {
			return nil
		}
		ref := place{pack: number, offset: offset}.ref()
		meta, err := readMetadata(f, offset, h)
		if errors.Is(err, store.ErrDamaged) {
			if _, err := liveHeader(f, offset, size); err == nil { // else it was removed just now
				harm.add(string(ref))
			}
			return nil
		}
		if err != nil {
			return err
		}
		return visit(store.StoredBlob{Ref: ref, Metadata: meta, Confirmed: h.confirmation()})
	}, func(offset int64) { harm.add(fmt.Sprintf("%s from byte %d", packName(number), offset)) })
	return err
}

// changedSince reports whether a pack may have records received after since.
func (p *packs) changedSince(number int, since time.Time) (bool, error) {
	p.marks.Lock()
	counts := p.known[number]
	fresh := counts != nil && counts.newest.After(since)
	p.marks.Unlock()
	if fresh || since.IsZero() {
		return true, nil
	}
	modified, err := p.files.modified(number)
	return !modified.Before(since), ifThere(err)
}
