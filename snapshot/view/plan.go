package view

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"coffer/snapshot"
)

// What is planned before it is fetched: more would take memory, less would visit
// packs more often.
const (
	maxPlanned = 20_000  // files
	maxChunks  = 200_000 // some 25 MiB
)

// plan decides about anything but a folder. What needs no content is made.
func (r *restore) plan(ctx context.Context, path string, e *snapshot.Entry) error {
	if r.opts.Wanted != nil && !r.opts.Wanted(path, e) {
		return nil
	}
	info, err := r.lstat(path)
	existing := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return r.fail(path, err)
	}
	if existing && r.stays(path, info, e) {
		r.did(path, e, Kept)
		return nil
	}
	if existing && info.IsDir() && !r.opts.DryRun {
		if err := r.makeRoom(path); err != nil {
			return r.fail(path, err)
		}
	}
	if r.opts.DryRun {
		how := Made
		if existing {
			how = Replaced
		}
		r.did(path, e, how)
		return nil
	}
	if err := r.parents(path); err != nil {
		return r.fail(path, err)
	}
	if e.Link != "" {
		file := identify(e)
		if first, ok := r.links[file]; ok {
			r.later = append(r.later, later{path, e, first})
			return nil
		}
		r.links[file] = path
	}
	t := &target{path: path, tmp: temporary(path), entry: e, existing: existing}
	if e.Type != snapshot.File {
		if err := r.special(t); err != nil {
			return r.fail(path, err)
		}
		return nil
	}
	return r.planFile(ctx, t)
}

func (r *restore) planFile(ctx context.Context, t *target) error {
	t.extents = extents(t.entry)
	t.left = 1 // until all chunks are planned
	r.files = append(r.files, t)
	r.total += t.entry.Size
	err := r.s.places(ctx, t.entry, func(p snapshot.Place, at uint64) error {
		if len(r.chunks) >= maxChunks {
			if err := r.fetch(ctx, t); err != nil {
				return &fetchError{err}
			}
		}
		t.left++
		r.chunks = append(r.chunks, chunkAt{p, int32(len(r.files) - 1), at})
		return nil
	})
	var fetched *fetchError
	switch {
	case errors.As(err, &fetched):
		return fetched.error
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		t.failed = true
		return r.fail(t.path, err)
	}
	if t.left--; t.left == 0 && !t.failed {
		if err := r.last(t); err != nil {
			return r.fail(t.path, err)
		}
	}
	if len(r.files) >= maxPlanned {
		return r.fetch(ctx, nil)
	}
	return nil
}

// A fetchError is one of fetching, while something is planned.
type fetchError struct{ error }

// last completes a file that is waiting for no chunk.
func (r *restore) last(t *target) error {
	dir, base, done, err := r.dirs.outer(t.tmp)
	if err != nil {
		return err
	}
	defer done()
	if len(t.entry.Content) == 0 {
		f, err := create(dir, base, t.entry)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return r.complete(t, dir, base)
}

// lstat looks at what is in the place of an entry.
func (r *restore) lstat(path string) (fs.FileInfo, error) {
	dir, base, done, err := r.dirs.outer(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return dir.Lstat(base)
}

// stays reports whether what is there is kept.
func (r *restore) stays(path string, info fs.FileInfo, e *snapshot.Entry) bool {
	switch r.opts.Overwrite {
	case Never:
		return true
	case IfChanged:
		return r.same(path, info, e)
	case IfNewer:
		return !e.MTime.Time().After(info.ModTime())
	}
	return false
}

// same reports whether what is there looks as it did.
func (r *restore) same(path string, info fs.FileInfo, e *snapshot.Entry) bool {
	switch {
	case !info.ModTime().Equal(e.MTime.Time()):
		return false
	case e.Type == snapshot.File:
		return info.Mode().IsRegular() && uint64(info.Size()) == e.Size
	case e.Type == snapshot.Symlink && info.Mode()&fs.ModeSymlink != 0:
		target, err := r.root.Readlink(path)
		return err == nil && target == e.Target
	}
	return false
}
