package view

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"coffer/snapshot"
)

// dir restores a folder: path is its path in what is restored, at in root.
func (r *restore) dir(ctx context.Context, path, at string, e *snapshot.Entry) error {
	made := r.opts.Wanted == nil || path == "" || r.opts.Wanted(path, e)
	if made {
		if err := r.makeDir(path, at, e); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	complete := e.Error == ""
	failed := func(err error) error {
		complete = false
		return r.fail(cmp.Or(path, "."), err)
	}
	err := r.s.Dir(ctx, e, failed, func(inner *snapshot.Entry) error {
		if r.opts.Delete {
			names[inner.Name] = true
		}
		if !filepath.IsLocal(inner.Name) {
			return r.fail(Join(path, inner.Name), errors.New("its name is not valid for a file on this system"))
		}
		if inner.Type == snapshot.Dir {
			return r.dir(ctx, Join(path, inner.Name), Join(path, inner.Name), inner)
		}
		return r.plan(ctx, Join(path, inner.Name), inner)
	})
	if err != nil || !r.opts.Delete || !made || !complete {
		return err // what cannot be read may name any file that is here
	}
	return r.remove(path, at, names)
}

// remove removes what is in a folder and not in the snapshot.
func (r *restore) remove(path, at string, names map[string]bool) error {
	dir, err := r.root.Open(at)
	if errors.Is(err, fs.ErrNotExist) && r.opts.DryRun {
		return nil
	}
	if err != nil {
		return r.fail(cmp.Or(path, "."), err)
	}
	there, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return r.fail(cmp.Or(path, "."), err)
	}
	slices.Sort(there)
	for _, name := range there {
		if names[name] {
			continue
		}
		if !r.opts.DryRun {
			r.dirs.forget(Join(path, name))
			if err := r.root.RemoveAll(Join(path, name)); err != nil {
				if err := r.fail(Join(path, name), err); err != nil {
					return err
				}
				continue
			}
		}
		r.did(Join(path, name), nil, Deleted)
	}
	return nil
}

// makeDir makes a folder, to which nobody else has access until it is finished.
func (r *restore) makeDir(path, at string, e *snapshot.Entry) error {
	info, err := r.root.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if r.opts.DryRun {
			return nil
		}
		if err := r.parents(at); err != nil {
			return r.fail(path, err)
		}
		err = r.root.Mkdir(at, 0o700)
	case err == nil && info.IsDir():
		if !r.opts.DryRun && info.Mode().Perm()&0o700 != 0o700 {
			err = r.root.Chmod(at, info.Mode().Perm()|0o700)
		}
	case err == nil && r.opts.Overwrite != Never:
		if r.opts.DryRun {
			return nil
		}
		if err = r.root.Remove(at); err == nil {
			err = r.root.Mkdir(at, 0o700)
		}
	case err == nil:
		err = errors.New("it is in the place of a folder, and may not be replaced")
	}
	if err != nil {
		return r.fail(cmp.Or(path, "."), err)
	}
	r.later = append(r.later, later{path: at, entry: e})
	return nil
}

// parents makes the folders that something lies in which itself was asked for.
func (r *restore) parents(at string) error {
	outer := parent(at)
	if outer == "." || r.dirs.has(outer) {
		return nil
	}
	if info, err := r.root.Lstat(outer); err == nil && info.IsDir() {
		return nil
	}
	if err := r.parents(outer); err != nil {
		return err
	}
	if err := r.root.Mkdir(outer, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// makeRoom removes a folder where none is to be, if that is allowed.
func (r *restore) makeRoom(path string) error {
	r.dirs.forget(path)
	if r.opts.Delete {
		return r.root.RemoveAll(path)
	}
	if err := r.root.Remove(path); err != nil {
		return errors.New("a folder that is not empty is in its place")
	}
	return nil
}
