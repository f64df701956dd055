package take

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/klauspost/compress/zstd"

	"coffer/snapshot"
	"coffer/snapshot/cache"
)

// errCache: what is remembered of the label cannot be read. The run begins anew
// without it.
var errCache = errors.New("the cache is damaged")

// An assembler writes the trees of folders that changed. It is given changes in
// the order of names, a folder's after those of the folders in it; of a folder
// without changes it writes nothing.
type assembler struct {
	run   *run
	trees *packer
	zstd  *zstd.Decoder
	batch *cache.Batch
	seed  maphash.Seed
	paths map[uint64]struct{} // hashes of the folders that there are
	packs numbers
	lists map[snapshot.ChunkID][]cache.Number // list pieces of this run
	root  snapshot.Entry
	frame []byte
}

func newAssembler(r *run, trees *packer) *assembler {
	return &assembler{
		run: r, trees: trees, batch: cache.NewBatch(r.wireName), seed: maphash.MakeSeed(),
		paths: map[uint64]struct{}{}, lists: map[snapshot.ChunkID][]cache.Number{},
	}
}

// maxBatch is how much is remembered of folders at once, in bytes.
const maxBatch = 4 << 20

// assemble writes trees until there are no more changes, and returns the root. Then all
// packs have been handed over.
func (a *assembler) assemble(ctx context.Context) (root snapshot.Entry, err error) {
	if a.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*snapshot.MaxChunk)); err != nil {
		return root, err
	}
	defer a.zstd.Close()
	for {
		select {
		case e, ok := <-a.run.events:
			if !ok {
				return a.finish()
			}
			if err := a.event(ctx, e); err != nil {
				return root, err
			}
		case <-ctx.Done():
			return root, context.Cause(ctx)
		}
	}
}

func (a *assembler) finish() (snapshot.Entry, error) {
	if a.run.opts.DryRun {
		return a.root, nil
	}
	if err := a.trees.flush(nil); err != nil {
		return a.root, err
	}
	for _, places := range [][]snapshot.Place{a.root.Subtree, a.root.Content} {
		for i := range places {
			places[i].Pack = a.trees.real(places[i].Pack)
		}
	}
	return a.root, a.run.cache.Write(a.batch)
}

func (a *assembler) event(ctx context.Context, e event) error {
	switch {
	case e.job != nil:
		return a.job(ctx, e.dir, e.job)
	case a.run.opts.DryRun:
		return nil
	case e.gone != "":
		return a.gone(e.dir, e.gone)
	default:
		return a.leave(e.dir)
	}
}

// job adds a file once its content is in packs.
func (a *assembler) job(ctx context.Context, d *dir, j *job) error {
	select {
	case <-j.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if j.failed != nil {
		a.run.leaveOutJob(j)
		if d == nil {
			return fmt.Errorf("read %s: %w", j.path, j.failed)
		}
		if a.run.opts.DryRun {
			return nil
		}
		return a.gone(d, j.entry.Name)
	}
	if j.entry.Changed {
		a.run.tellChanged(j.path)
	}
	if a.run.opts.DryRun {
		return nil
	}
	entry := j.entry // a job that is done is read by other names of the file
	if err := a.content(ctx, &entry, j.content); err != nil {
		return err
	}
	if d == nil {
		a.root = entry
		return a.quote(&a.packs, &a.root)
	}
	return a.add(d, &entry, j.anew, false)
}

// leave finishes a folder, and adds it to the one that it lies in if it is not
// there as it is.
func (a *assembler) leave(d *dir) error {
	a.paths[maphash.String(a.seed, d.path)] = struct{}{}
	t := d.tree
	if t == nil && d.old == nil { // an empty folder
		t = &tree{changed: true}
	}
	var places []snapshot.Place
	switch {
	case t == nil || !t.changed:
		if t != nil {
			if err := a.keep(t, ""); err != nil {
				return err
			}
		}
		var ok bool
		if places, ok = a.run.cache.Places(d.old); !ok {
			return errCache
		}
		a.packs.addAll(d.old.Packs)
		if t != nil && t.dirty {
			a.batch.Add(d.path, &cache.Dir{Listing: t.listing, Pieces: d.old.Pieces, Packs: d.old.Packs})
		}
	default:
		if t.writer != nil {
			if err := a.keep(t, ""); err != nil {
				return err
			}
			if err := t.writer.Close(); err != nil {
				return err
			}
		}
		places = t.places
		packs := t.packs.numbers()
		a.packs.addAll(packs)
		a.batch.Add(d.path, &cache.Dir{Listing: t.listing, Pieces: t.pieces, Packs: packs})
	}
	d.tree = nil
	if a.batch.Size() > maxBatch {
		if err := a.run.cache.Write(a.batch); err != nil {
			return err
		}
	}
	d.entry.Subtree = places
	switch {
	case d.parent == nil:
		a.root = d.entry
		return nil
	case d.same && d.parent.old != nil && (t == nil || !t.changed):
		return nil
	}
	return a.add(d.parent, &d.entry, d.anew, d.same)
}

// visited reports whether there is a folder of a path.
func (a *assembler) visited(path string) bool {
	_, ok := a.paths[maphash.String(a.seed, path)]
	return ok
}
