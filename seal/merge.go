package seal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"coffer/internal/fileattr"
)

// ErrFolderInTheWay: a folder that is not empty stands where something that is
// no folder should go.
var ErrFolderInTheWay = errors.New("is a folder that is not empty, but not a folder in the backup")

// Merge moves what lies in the folder from, which is below root, into root:
// what has the same name is replaced, one thing at a time and each at once;
// everything else stays unless drop is set, which removes it. The folders of
// both get modes, times and owners of from's. Links are replaced, never
// followed. A folder is replaced by something else only if it is empty or drop
// is set: else nothing is touched and the error is [ErrFolderInTheWay].
//
// Each file is the old or the new one at any moment, so that a Merge that was
// interrupted can be begun anew.
func Merge(ctx context.Context, root *os.Root, from string, drop bool) error {
	m := &merger{ctx: ctx, root: root, from: from, drop: drop}
	if !drop {
		if err := m.check("."); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	if err := m.folder("."); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return nil
}

// merger moves one tree. Names are those in root.
type merger struct {
	ctx  context.Context
	root *os.Root
	from string
	drop bool
}

// new is where something lies until it is moved.
func (m *merger) new(name string) string { return m.from + "/" + name }

// names are those in a folder, which is opened to its owner if it has to be.
func (m *merger) names(folder string) ([]string, error) {
	info, err := m.root.Lstat(folder)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o700 != 0o700 {
		if err := m.root.Chmod(folder, info.Mode().Perm()|0o700); err != nil {
			return nil, err
		}
	}
	dir, err := m.root.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return namesIn(dir)
}

// inside calls f for what a folder of from's holds, and what is in its place,
// nil if nothing is, and leaves that folder's mode as it was.
func (m *merger) inside(folder string, f func(name string, is, was fs.FileInfo) error) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	info, err := m.root.Lstat(m.new(folder))
	if err != nil {
		return err
	}
	names, err := m.names(m.new(folder))
	if err != nil {
		return err
	}
	for _, base := range names {
		name := join(folder, base)
		is, err := m.root.Lstat(m.new(name))
		if err != nil {
			return err
		}
		was, err := m.root.Lstat(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := f(name, is, was); err != nil {
			return err
		}
	}
	return m.root.Chmod(m.new(folder), info.Mode()&^fs.ModeType)
}

// check looks for folders in the way.
func (m *merger) check(folder string) error {
	return m.inside(folder, func(name string, is, was fs.FileInfo) error {
		switch {
		case was == nil || !was.IsDir():
			return nil
		case is.IsDir():
			return m.check(name)
		}
		dir, err := m.root.OpenRoot(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		names, err := namesIn(dir)
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("%q %w", name, ErrFolderInTheWay)
		}
		return err
	})
}

// folder moves what a folder of from's holds into the one of the same name.
func (m *merger) folder(folder string) error {
	info, err := m.root.Lstat(m.new(folder))
	if err != nil {
		return err
	}
	there, err := m.names(folder)
	if err != nil {
		return err
	}
	here := map[string]bool{}
	err = m.inside(folder, func(name string, is, was fs.FileInfo) error {
		_, base := split(name)
		here[base] = true
		if was != nil && was.IsDir() && is.IsDir() {
			return m.folder(name)
		}
		return m.move(name, is, was)
	})
	if err != nil {
		return err
	}
	if m.drop {
		for _, base := range there {
			if name := join(folder, base); !here[base] && name != m.from && !m.holds(name) {
				if err := RemoveAll(m.root, name); err != nil {
					return err
				}
			}
		}
	}
	if folder == "." {
		// Before root gets its mode, which may forbid it, and its time.
		top, _, _ := strings.Cut(m.from, "/")
		if err := RemoveAll(m.root, top); err != nil {
			return err
		}
	}
	return m.settle(folder, info)
}

// holds reports whether from lies in a folder.
func (m *merger) holds(name string) bool {
	outer, _ := split(m.from)
	for ; outer != "."; outer, _ = split(outer) {
		if outer == name {
			return true
		}
	}
	return false
}

// move puts something in the place of what was there.
func (m *merger) move(name string, is, was fs.FileInfo) error {
	switch {
	case was == nil:
	case was.IsDir() && m.drop:
		if err := RemoveAll(m.root, name); err != nil {
			return err
		}
	case was.IsDir(), is.IsDir():
		if err := m.root.Remove(name); err != nil {
			return err
		}
	}
	return Rename(m.root, m.new(name), name)
}

// settle gives a folder what the archive says of it.
func (m *merger) settle(folder string, info fs.FileInfo) error {
	if fileattr.CanChown() {
		if uid, gid, ok := fileattr.OwnerOf(info); ok {
			if err := m.root.Lchown(folder, uid, gid); err != nil {
				return err
			}
		}
	}
	if err := fileattr.SetTime(m.root, folder, info.ModTime()); err != nil {
		return err
	}
	return m.root.Chmod(folder, info.Mode()&^fs.ModeType)
}

// Rename moves something within root, in place of a file that is there. A
// folder that its owner may not write can be moved only while he may: its entry
// for the one around it changes.
func Rename(root *os.Root, from, to string) error {
	info, err := root.Lstat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o200 != 0 {
		return root.Rename(from, to)
	}
	mode := info.Mode() &^ fs.ModeType
	if err := root.Chmod(from, mode|0o200); err != nil {
		return err
	}
	if err := root.Rename(from, to); err != nil {
		return errors.Join(err, root.Chmod(from, mode))
	}
	return root.Chmod(to, mode)
}

// RemoveAll removes something and all that lies in it, folders that lock their
// owner out included, however deep it goes. It follows no link.
func RemoveAll(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := unlock(root, name); err != nil {
			return err
		}
	}
	return root.RemoveAll(name)
}

// unlock opens a folder and all those in it to their owner.
func unlock(outer *os.Root, name string) error {
	if err := outer.Chmod(name, 0o700); err != nil {
		return err
	}
	dir, err := outer.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, inner := range names {
		info, err := dir.Lstat(inner)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if err := unlock(dir, inner); err != nil {
				return err
			}
		}
	}
	return nil
}
