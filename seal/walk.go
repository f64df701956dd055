package seal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"coffer/internal/fileattr"
)

// maxDepth is how many folders may lie inside one another.
const maxDepth = 1024

// vanished is why something is left out that was there a moment ago.
const vanished = "it disappeared while the folder was being read"

// errReplaced: a name stands for something else at every look.
var errReplaced = errors.New("it was replaced while being read")

// looks is how often a name is looked at that stands for something else each
// time. Programs save a file by renaming a new one over it.
const looks = 3

// An entry is something found in a tree.
type entry struct {
	dir    *os.Root // the folder it lies in
	name   string   // in dir
	path   string   // from the tree's root, with slashes; "." is the root
	info   fs.FileInfo
	open   *os.File // of a folder alone; closed after the visit
	kernel bool     // its content is made by the kernel as it is read
}

// walker goes through a tree: each folder before what it holds, sorted by name.
// A folder is opened relative to the one it lies in, so that a link put in its
// place leads nowhere. What cannot be read is skipped; the errors of a walk are
// those of visit and of its root.
type walker struct {
	// visit gives errReplaced for an entry that is not what it was, before it
	// did anything with it.
	visit   func(entry) error
	skipped func(path, reason string)
}

func (w *walker) walk(ctx context.Context, root string) error {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer dir.Close()
	e := entry{dir: dir, name: ".", path: "."}
	names, err := w.enter(dir, &e, entry{})
	if err != nil {
		return fmt.Errorf("read the folder %q: %w", root, err)
	}
	return w.inside(ctx, dir, e, names, 1)
}

// errKernel: a folder is left out because it shows what no disk holds.
type errKernel string

func (e errKernel) Error() string {
	return fmt.Sprintf("it is a virtual file system of the kernel (%s)", string(e))
}

// enter visits the folder that dir is and gives the names in it.
func (w *walker) enter(dir *os.Root, e *entry, outer entry) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if e.info != nil && !os.SameFile(e.info, opened) {
		return nil, errReplaced
	}
	e.kernel = outer.kernel
	if outer.info == nil || fileattr.DeviceOf(outer.info) != fileattr.DeviceOf(opened) {
		name := fileattr.KernelFileSystem(f)
		e.kernel = name != ""
		if e.kernel && outer.info != nil && !outer.kernel {
			return nil, errKernel(name)
		}
	}
	e.info, e.open = opened, f
	names, err := f.Readdirnames(-1)
	if err != nil && len(names) == 0 {
		return nil, err
	}
	if err := w.visit(*e); err != nil {
		return nil, &visitError{err}
	}
	if err != nil {
		w.skipped(e.path, "part of it cannot be read: "+reason(err))
	}
	slices.Sort(names)
	return names, nil
}

// A visitError ends a walk.
type visitError struct{ error }

func (e *visitError) Unwrap() error { return e.error }

// inside visits what the folder dir holds.
func (w *walker) inside(ctx context.Context, dir *os.Root, outer entry, names []string, depth int) error {
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := join(outer.path, name)
		var err error
		for range looks {
			if err = w.one(ctx, entry{dir: dir, name: name, path: path}, outer, depth); !errors.Is(err, errReplaced) {
				break
			}
		}
		var visit *visitError
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &visit):
			return visit.error
		default:
			w.skipped(path, reason(err))
		}
	}
	return nil
}

// one visits what a name stands for, and all that lies in it.
func (w *walker) one(ctx context.Context, e, outer entry, depth int) (err error) {
	if e.info, err = e.dir.Lstat(e.name); err != nil {
		return err
	}
	if !e.info.IsDir() {
		e.kernel = outer.kernel
		err = w.visit(e)
		if err != nil && !errors.Is(err, errReplaced) {
			err = &visitError{err}
		}
		return err
	}
	if depth == maxDepth {
		return fmt.Errorf("it is more than %d folders deep", maxDepth)
	}
	dir, err := e.dir.OpenRoot(e.name)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := w.enter(dir, &e, outer)
	if err != nil {
		return err
	}
	if err := w.inside(ctx, dir, e, names, depth+1); err != nil {
		return &visitError{err}
	}
	return nil
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

// openRegular opens a regular file and gives its state as of then, or
// errReplaced if it is not the one that was seen.
func openRegular(e entry) (*os.File, fs.FileInfo, error) {
	f, err := e.dir.OpenFile(e.name, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(e.info, opened) {
		err = errReplaced
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, opened, nil
}

// Measure says how many regular files [Archive] would read from a folder and
// how many bytes they hold, each hard-linked file counted once.
func Measure(ctx context.Context, root string) (files int, bytes int64, err error) {
	linked := map[fileattr.Inode]bool{}
	w := walker{
		visit: func(e entry) error {
			if !e.info.Mode().IsRegular() {
				return nil
			}
			if id, shared := fileattr.SharedInode(e.info); shared {
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
