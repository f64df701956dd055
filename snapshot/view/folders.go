package view

import (
	"container/list"
	"os"
	"strings"
	"sync"
)

// maxFolders is how many folders of what is restored are kept open.
const maxFolders = 128

// folders keeps the folders open that files are restored to. Opening one from the
// root on costs several system calls for each folder above it, and files that are
// restored after one another mostly lie in the same folders. Safe for concurrent
// use.
type folders struct {
	root *os.Root

	mu     sync.Mutex
	open   map[string]*list.Element // of *folder, by path
	recent *list.List               // the one used last first
}

// A folder is closed once it is forgotten and nobody uses it.
type folder struct {
	path  string
	dir   *os.Root
	users int
	gone  bool
}

func newFolders(root *os.Root) *folders {
	return &folders{root: root, open: map[string]*list.Element{}, recent: list.New()}
}

// outer opens the folder that a path lies in, and returns the path's last name.
// done ends its use.
func (f *folders) outer(path string) (dir *os.Root, base string, done func(), err error) {
	outer := parent(path)
	if outer == "." {
		return f.root, path, func() {}, nil
	}
	base = path[len(outer)+1:]
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := f.open[outer]
	if !ok {
		dir, err := f.root.OpenRoot(outer)
		if err != nil {
			return nil, "", nil, err
		}
		at = f.recent.PushFront(&folder{path: outer, dir: dir})
		f.open[outer] = at
	}
	f.recent.MoveToFront(at)
	one := at.Value.(*folder)
	one.users++
	if len(f.open) > maxFolders {
		f.drop(f.recent.Back())
	}
	return one.dir, base, func() { f.release(one) }, nil
}

// has reports whether a folder is open, and so is there.
func (f *folders) has(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.open[path]
	return ok
}

// forget is for what is about to be removed: nothing of it may be used again.
func (f *folders) forget(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for one, at := range f.open {
		if one == path || strings.HasPrefix(one, path+"/") {
			f.drop(at)
		}
	}
}

// close closes all folders.
func (f *folders) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.open {
		f.drop(at)
	}
}

func (f *folders) release(one *folder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.users--
	f.closeUnused(one)
}

// drop forgets a folder; f.mu is held.
func (f *folders) drop(at *list.Element) {
	one := f.recent.Remove(at).(*folder)
	delete(f.open, one.path)
	one.gone = true
	f.closeUnused(one)
}

// closeUnused closes a folder that was forgotten and has no users; f.mu is held.
func (f *folders) closeUnused(one *folder) {
	if one.gone && one.users == 0 {
		one.dir.Close()
	}
}
