package seal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// maxDepth is how many folders may lie inside one another.
const maxDepth = 1024

// vanished is why something is left out that was there a moment ago.
const vanished = "it vanished while the folder was read"

// errReplaced: a name stands for something else at every look.
var errReplaced = errors.New("it was replaced while it was read")

// An entry is something found in a tree.
type entry struct {
	dir  *os.Root // the folder it lies in
	name string   // in dir
	path string   // from the tree's root, with slashes; "." is the root
	info fs.FileInfo
}

// walker goes through a tree: each folder before what it holds, sorted by name.
// A folder is opened relative to the one it lies in, so that a link which
// somebody puts in its place leads nowhere.
type walker struct {
	visit   func(entry) error
	skipped func(path, reason string)
}

func (w *walker) walk(ctx context.Context, root string) error {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer dir.Close()
	info, err := dir.Lstat(".")
	if err != nil {
		return fmt.Errorf("open the folder %q: %w", root, err)
	}
	if err := w.visit(entry{dir: dir, name: ".", path: ".", info: info}); err != nil {
		return err
	}
	return w.inside(ctx, dir, ".", 1)
}

// inside visits what the folder dir at path holds.
func (w *walker) inside(ctx context.Context, dir *os.Root, path string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%q: more than %d folders inside one another", path, maxDepth)
	}
	names, err := namesIn(dir)
	if err != nil {
		return fmt.Errorf("read the folder %q: %w", path, err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := entry{dir: dir, name: name, path: join(path, name)}
		e.info, err = dir.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			w.skipped(e.path, vanished)
			continue
		}
		if err != nil {
			return fmt.Errorf("look at %q: %w", e.path, err)
		}
		if e.info.IsDir() {
			err = w.folder(ctx, e, depth)
		} else {
			err = w.visit(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// folder visits a folder and what it holds.
func (w *walker) folder(ctx context.Context, e entry, depth int) error {
	dir, err := e.dir.OpenRoot(e.name)
	if errors.Is(err, fs.ErrNotExist) {
		w.skipped(e.path, vanished)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the folder %q: %w", e.path, err)
	}
	defer dir.Close()
	opened, err := dir.Lstat(".")
	if err != nil {
		return fmt.Errorf("open the folder %q: %w", e.path, err)
	}
	if !os.SameFile(e.info, opened) {
		return fmt.Errorf("read the folder %q: %w", e.path, errReplaced)
	}
	if err := w.visit(e); err != nil {
		return err
	}
	return w.inside(ctx, dir, e.path, depth+1)
}

func namesIn(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// join is path.Join without its cleaning: names are as they are.
func join(path, name string) string {
	if path == "." {
		return name
	}
	return path + "/" + name
}

// openRegular opens a regular file and gives its state as of then. Programs
// save a file by renaming a new one over it, so a name that changed hands is
// looked at again, twice.
func openRegular(e entry) (*os.File, fs.FileInfo, error) {
	info := e.info
	for range 3 {
		f, err := e.dir.OpenFile(e.name, os.O_RDONLY|openNonblock, 0)
		if err != nil {
			return nil, nil, err
		}
		opened, err := f.Stat()
		if err == nil && os.SameFile(info, opened) {
			return f, opened, nil
		}
		f.Close()
		if err != nil {
			return nil, nil, err
		}
		if info, err = e.dir.Lstat(e.name); err != nil {
			return nil, nil, err
		}
		if !info.Mode().IsRegular() {
			break
		}
	}
	return nil, nil, errReplaced
}

// Measure says how many regular files [Archive] would read from a folder and
// how many bytes they hold, each hard-linked file counted once.
func Measure(ctx context.Context, root string) (files int, bytes int64, err error) {
	linked := map[inode]bool{}
	w := walker{
		visit: func(e entry) error {
			if !e.info.Mode().IsRegular() {
				return nil
			}
			if id, shared := sharedInode(e.info); shared {
				if linked[id] {
					return nil
				}
				linked[id] = true
			}
			files++
			bytes += e.info.Size()
			return nil
		},
		skipped: func(string, string) {},
	}
	if err := w.walk(ctx, root); err != nil {
		return 0, 0, fmt.Errorf("measure: %w", err)
	}
	return files, bytes, nil
}
