package view

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"sync"

	"coffer/internal/fileattr"
	"coffer/snapshot"
)

// A target is a file that is being restored.
type target struct {
	path     string // in root
	tmp      string // where it is until it is complete
	entry    *snapshot.Entry
	extents  []extent
	existing bool

	mu     sync.Mutex
	left   int  // guarded by mu; chunks
	begun  bool // guarded by mu; there is a file at tmp
	failed bool // guarded by mu
}

// special makes what has no content.
func (r *restore) special(t *target) error {
	if (t.entry.Type == snapshot.Char || t.entry.Type == snapshot.Block) && !r.rights {
		r.lost(LostRights, t.path, errOfMachine)
		return nil
	}
	dir, base, done, err := r.dirs.outer(t.tmp)
	if err != nil {
		return err
	}
	defer done()
	e := t.entry
	switch e.Type {
	case snapshot.Symlink:
		err = dir.Symlink(e.Target, base)
	case snapshot.FIFO:
		err = fileattr.MakeNode(dir, base, fs.ModeNamedPipe, 0, 0)
	case snapshot.Socket:
		err = fileattr.MakeNode(dir, base, fs.ModeSocket, 0, 0)
	case snapshot.Char:
		err = fileattr.MakeNode(dir, base, fs.ModeDevice|fs.ModeCharDevice, e.Major, e.Minor)
	case snapshot.Block:
		err = fileattr.MakeNode(dir, base, fs.ModeDevice, e.Major, e.Minor)
	}
	if err != nil && e.Type != snapshot.Symlink && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fileattr.ErrUnsupported)) {
		r.lost(LostNodes, t.path, err)
		return nil
	}
	if err != nil {
		return err
	}
	return r.complete(t, dir, base)
}

// create makes a file that nothing is in yet, with its size.
func create(dir *os.Root, base string, e *snapshot.Entry) (*os.File, error) {
	if e.Size > math.MaxInt64 {
		return nil, errors.New("it is too large for a file here")
	}
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(e.Size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// complete gives a file what it has beside content, and moves it to its place.
// It is in dir, as base.
func (r *restore) complete(t *target, dir *os.Root, base string) error {
	if err := r.attributes(dir, base, t.path, t.entry); err != nil {
		return err
	}
	if err := dir.Rename(base, lastName(t.path)); err != nil {
		return err
	}
	how := Made
	if t.existing {
		how = Replaced
	}
	r.did(t.path, t.entry, how)
	return nil
}

// removeUnfinished removes a file that never became complete.
func (r *restore) removeUnfinished(t *target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed || t.left > 0 {
		_ = r.root.Remove(t.tmp) // it may never have been made
	}
}
