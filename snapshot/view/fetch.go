package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"

	"coffer/internal/fileattr"
	"coffer/snapshot"
)

// A chunkAt is a chunk that a file has.
type chunkAt struct {
	place snapshot.Place
	file  int32
	begin uint64 // in the file's content
}

// fetch reads all chunks that were planned and are not there already, and writes
// them, a pack at a time. Then nothing is planned but a file that is still being.
func (r *restore) fetch(ctx context.Context, planning *target) error {
	slices.SortStableFunc(r.chunks, func(a, b chunkAt) int {
		return cmp.Or(slices.Compare(a.place.Pack[:], b.place.Pack[:]), cmp.Compare(a.place.Offset, b.place.Offset))
	})
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, min(runtime.GOMAXPROCS(0), 4)))
	for begin := 0; begin < len(r.chunks) && ctx.Err() == nil; {
		end := begin + 1
		for end < len(r.chunks) && r.chunks[end].place.Pack == r.chunks[begin].place.Pack {
			end++
		}
		chunks := r.chunks[begin:end]
		begin = end
		group.Go(func() error { return r.pack(ctx, chunks) })
	}
	err := group.Wait()
	for _, t := range r.files {
		if t != planning || err != nil {
			r.removeUnfinished(t)
		}
	}
	r.files, r.chunks = r.files[:0], r.chunks[:0]
	if planning != nil {
		r.files = append(r.files, planning)
	}
	return err
}

// pack writes what is in one pack.
func (r *restore) pack(ctx context.Context, chunks []chunkAt) error {
	var wanted []chunkAt
	var places []snapshot.Place
	for _, c := range chunks {
		t := r.files[c.file]
		if t.existing {
			if chunk := r.reuse(t, c); chunk != nil {
				if err := r.write(t, c, chunk); err != nil {
					return err
				}
				continue
			}
		}
		wanted, places = append(wanted, c), append(places, c.place)
	}
	return r.s.reader.Chunks(ctx, snapshot.Data, places, func(i int, chunk []byte, err error) error {
		c := wanted[i]
		if err != nil && ctx.Err() == nil {
			chunk, _, err = r.s.Chunk(ctx, snapshot.Data, c.place)
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !errors.Is(err, ErrDamaged) {
				return err // the server cannot be reached
			}
			return r.broken(r.files[c.file], err)
		}
		r.mu.Lock()
		r.count.Fetched += uint64(c.place.Length)
		r.mu.Unlock()
		return r.write(r.files[c.file], c, chunk)
	})
}

// reuse is a chunk that the file which is to be replaced has at its place.
func (r *restore) reuse(t *target, c chunkAt) []byte {
	x := extentAt(t.extents, c.begin)
	if x == nil || c.begin+uint64(c.place.Size) > x.from+x.length {
		return nil
	}
	dir, base, done, err := r.dirs.outer(t.path)
	if err != nil {
		return nil
	}
	defer done()
	f, err := dir.OpenFile(base, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	chunk := make([]byte, c.place.Size)
	if _, err := f.ReadAt(chunk, int64(x.at+c.begin-x.from)); err != nil {
		return nil
	}
	if r.s.own.ChunkID(snapshot.Data, chunk) != c.place.ID {
		return nil
	}
	return chunk
}

func extentAt(list []extent, begin uint64) *extent {
	i, found := slices.BinarySearchFunc(list, begin, func(x extent, begin uint64) int { return cmp.Compare(x.from, begin) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return &list[i]
}

// broken gives a file up.
func (r *restore) broken(t *target, err error) error {
	t.mu.Lock()
	first := !t.failed
	t.failed = true
	t.mu.Unlock()
	if !first {
		return nil
	}
	return r.fail(t.path, err)
}

// write writes a chunk to where it lies in a file, and completes the file with
// the last one.
func (r *restore) write(t *target, c chunkAt, chunk []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed {
		return nil
	}
	if err := r.writeLocked(t, c.begin, chunk); err != nil {
		t.failed = true
		if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("%q: %w", t.path, err)
		}
		return r.fail(t.path, err)
	}
	r.mu.Lock()
	r.done += uint64(len(chunk))
	if r.opts.Progress != nil {
		r.opts.Progress(r.done, r.total)
	}
	r.mu.Unlock()
	return nil
}

func (r *restore) writeLocked(t *target, begin uint64, chunk []byte) error {
	dir, base, done, err := r.dirs.outer(t.tmp)
	if err != nil {
		return err
	}
	defer done()
	var f *os.File
	if t.begun {
		f, err = dir.OpenFile(base, os.O_WRONLY, 0)
	} else {
		f, err = create(dir, base, t.entry)
	}
	if err != nil {
		return err
	}
	t.begun = true
	for len(chunk) > 0 {
		x := extentAt(t.extents, begin)
		if x == nil || begin >= x.from+x.length {
			f.Close()
			return fmt.Errorf("%w: more content than its size says", ErrDamaged)
		}
		n := min(uint64(len(chunk)), x.from+x.length-begin)
		if _, err := f.WriteAt(chunk[:n], int64(x.at+begin-x.from)); err != nil {
			f.Close()
			return err
		}
		chunk, begin = chunk[n:], begin+n
	}
	if err := f.Close(); err != nil {
		return err
	}
	if t.left--; t.left > 0 {
		return nil
	}
	return r.complete(t, dir, base)
}
