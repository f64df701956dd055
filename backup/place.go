package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"coffer/seal"
)

// A place is where something is restored to: a name in a folder that is held
// open, so that nothing leads out of it, or a folder that is there already.
type place struct {
	dir    *os.Root
	base   string // in dir; "" if dir is the place itself
	shown  string
	force  bool
	delete bool
}

// openPlace opens the place of a file or folder.
func openPlace(opts RestoreOptions, folder bool) (*place, error) {
	if opts.Root != nil {
		return placeBelow(opts, folder)
	}
	if err := checkPlace(opts, folder); err != nil {
		return nil, err
	}
	p := &place{shown: opts.Path, force: opts.Force, delete: opts.Delete}
	path := filepath.Clean(opts.Path)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		p.dir, err = os.OpenRoot(path)
		return p, err
	}
	outer, base := filepath.Split(path)
	var err error
	p.base = base
	p.dir, err = os.OpenRoot(filepath.Clean(outer + "."))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, placeError(opts.Path, "is in a folder that does not exist: create it first")
	}
	return p, err
}

// placeBelow opens a place below opts.Root, whose folders it makes. None of
// them may be a link, not even to a folder inside: a link is what another
// backup brought, and what lies behind it is that backup's.
func placeBelow(opts RestoreOptions, folder bool) (*place, error) {
	p := &place{shown: opts.Path, force: opts.Force, delete: opts.Delete}
	parts := strings.Split(opts.Path, "/")
	dir, err := opts.Root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	for _, part := range parts[:len(parts)-1] {
		inner, err := enterFolder(dir, part)
		dir.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", opts.Path, err)
		}
		dir = inner
	}
	p.dir, p.base = dir, parts[len(parts)-1]
	info, err := dir.Lstat(p.base)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p, nil
	case err != nil:
	case !opts.Force && !(folder && info.IsDir() && emptyIn(dir, p.base)):
		err = fmt.Errorf("%s: %w", opts.Path, ErrExists)
	case info.IsDir() && folder:
		defer dir.Close()
		p.dir, err = dir.OpenRoot(p.base)
		p.base = ""
		return p, err
	case info.IsDir():
		err = placeError(opts.Path, "is a folder, but the backup is a file: remove it first")
	default:
		err = replaceable(opts.Path, info)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return p, nil
}

// emptyIn is emptyFolder for a folder in dir.
func emptyIn(dir *os.Root, name string) bool {
	inner, err := fs.Sub(dir.FS(), name)
	return err == nil && emptyFolder(inner)
}

// enterFolder opens a folder in dir, which it makes if it is not there.
func enterFolder(dir *os.Root, name string) (*os.Root, error) {
	if err := dir.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: its parent %q is not a folder here", ErrPlace, name)
	}
	inner, err := dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if opened, err := inner.Lstat("."); err != nil || !os.SameFile(info, opened) {
		inner.Close()
		return nil, fmt.Errorf("%w: %q was replaced in the meantime", ErrPlace, name)
	}
	return inner, nil
}

// replaceable refuses what only looks like a file.
func replaceable(path string, info fs.FileInfo) error {
	if kind := info.Mode().Type(); kind != 0 && kind != fs.ModeSymlink && kind != fs.ModeDir {
		return placeError(path, "is a device, a pipe or a socket, and a restore replaces only files (-o - writes to standard output)")
	}
	return nil
}

func (p *place) close() { p.dir.Close() }

// file makes the file that write writes, once write was successful.
func (p *place) file(write func(io.Writer) error) (err error) {
	name := p.temporary()
	defer func() { err = p.named(err, name) }()
	tmp, err := p.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			err = errors.Join(err, p.dir.Remove(name))
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := p.stillFree(); err != nil {
		return err
	}
	return p.dir.Rename(name, p.base)
}

// folder makes the folder that fill fills, once fill was successful. In a
// folder that is there, what fill made replaces what has the same name.
func (p *place) folder(ctx context.Context, fill func(*os.Root) error) (err error) {
	lock, err := p.unlock()
	if err != nil {
		return err
	}
	name := p.temporary()
	defer func() { err = p.named(err, name) }()
	if err := p.dir.Mkdir(name, 0o700); err != nil {
		return errors.Join(err, lock())
	}
	defer func() {
		err = errors.Join(err, seal.RemoveAll(p.dir, name))
		if err != nil {
			err = errors.Join(err, lock())
		}
	}()
	made := name + "/new"
	if err := p.dir.Mkdir(made, 0o700); err != nil {
		return err
	}
	root, err := p.dir.OpenRoot(made)
	if err != nil {
		return err
	}
	err = fill(root)
	root.Close()
	if err != nil {
		return err
	}
	if p.base == "" {
		return seal.Merge(ctx, p.dir, made, p.delete)
	}
	if err := p.stillFree(); err != nil {
		return err
	}
	if p.force {
		if err := p.dir.Remove(p.base); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return seal.Rename(p.dir, made, p.base)
}

// unlock lets the owner of a folder that is there make something in it; lock
// takes that back.
func (p *place) unlock() (lock func() error, err error) {
	nothing := func() error { return nil }
	if p.base != "" {
		return nothing, nil
	}
	info, err := p.dir.Lstat(".")
	if err != nil || info.Mode().Perm()&0o700 == 0o700 {
		return nothing, err
	}
	mode := info.Mode() &^ fs.ModeType
	return func() error { return p.dir.Chmod(".", mode) }, p.dir.Chmod(".", mode|0o700)
}

// stillFree looks again whether something would be replaced that may not be.
func (p *place) stillFree() error {
	if p.force {
		return nil
	}
	switch _, err := p.dir.Lstat(p.base); {
	case err == nil:
		return fmt.Errorf("%s: %w", p.shown, ErrExists)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// temporary is a name for what is not complete yet.
func (p *place) temporary() string {
	base := p.base
	if len(base) > 100 {
		base = "restored" // leaves room for what stands around it
	}
	return "." + base + ".coffer-" + rand.Text()[:10]
}

// named is err with the place's name in the stead of what is not complete yet,
// which its owner has never heard of.
func (p *place) named(err error, temporary string) error {
	var failed *fs.PathError
	if !errors.As(err, &failed) || !strings.HasPrefix(failed.Path, temporary) {
		return err
	}
	return &placedError{strings.Replace(err.Error(), failed.Error(), p.shown+": "+failed.Err.Error(), 1), err}
}

// A placedError says what err says, about the place.
type placedError struct {
	text string
	err  error
}

func (e *placedError) Error() string { return e.text }
func (e *placedError) Unwrap() error { return e.err }

// room refuses what a disk has no room for.
func (p *place) room(size uint64) error {
	free, err := seal.FreeSpace(p.dir)
	if err == nil && size > uint64(max(free, 0)) {
		err = fmt.Errorf("%w: it needs %d bytes, and %d are free", seal.ErrNoRoom, size, free)
	}
	return err
}

// capped fails once more than left bytes were written to it.
type capped struct {
	w    io.Writer
	left int64
}

// capWriter bounds what is written to w; a max of 0 is no bound.
func capWriter(w io.Writer, max int64) io.Writer {
	if max <= 0 {
		return w
	}
	return &capped{w, max}
}

func (c *capped) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, seal.ErrTooMuch
	}
	n, err := c.w.Write(p)
	c.left -= int64(n)
	return n, err
}
