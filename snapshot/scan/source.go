package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Sources are the paths that a snapshot is made of.
type Sources struct {
	top   *source
	Paths []string // absolute, with slashes, sorted
	file  bool     // one file alone
}

// A source is a path that was given, or a folder that one lies in.
type source struct {
	path  string // absolute, with slashes
	open  string // what is read: path, but where that is a symbolic link
	given bool
	below map[string]*source // by name
}

// holds reports whether only what lies in it by name is read.
func (s *source) holds() bool { return s != nil && !s.given }

func (s *source) names() []string { return slices.Sorted(maps.Keys(s.below)) }

func (s *source) child(name string) *source {
	if !s.holds() {
		return nil
	}
	return s.below[name]
}

// NewSources looks at the paths that a snapshot is made of. A path that lies in
// another one is of no further effect. What a path itself stands for may be a
// symbolic link, which is followed.
func NewSources(paths ...string) (*Sources, error) {
	if len(paths) == 0 {
		return nil, errors.New("there is nothing to be read")
	}
	found := map[string]*source{}
	folder := map[string]bool{}
	for _, given := range paths {
		s, info, err := sourceAt(given)
		if err != nil {
			return nil, err
		}
		found[s.path] = s
		folder[s.path] = info.IsDir()
	}
	outermost(found, folder)
	all := &Sources{Paths: slices.Sorted(maps.Keys(found))}
	if len(found) == 1 {
		all.top = found[all.Paths[0]]
		all.file = !folder[all.Paths[0]]
		return all, nil
	}
	all.top = tree(found, all.Paths)
	return all, nil
}

// sourceAt resolves what a path leads through.
func sourceAt(given string) (*source, fs.FileInfo, error) {
	abs, err := filepath.Abs(given)
	if err != nil {
		return nil, nil, err
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	open, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return nil, nil, err
	}
	info, err := os.Stat(open)
	if err != nil {
		return nil, nil, err
	}
	return &source{path: filepath.ToSlash(abs), open: filepath.ToSlash(open), given: true}, info, nil
}

// outermost drops what lies in a folder that is read as a whole.
func outermost(found map[string]*source, folder map[string]bool) {
	for p := range found {
		for outer := p; outer != path.Dir(outer); {
			outer = path.Dir(outer)
			if found[outer] != nil && folder[outer] {
				delete(found, p)
				break
			}
		}
	}
}

// tree is the deepest folder that holds all paths, with nothing else in it.
func tree(found map[string]*source, paths []string) *source {
	common := path.Dir(paths[0])
	for _, p := range paths {
		for p != common && !strings.HasPrefix(p, strings.TrimSuffix(common, "/")+"/") {
			common = path.Dir(common)
		}
	}
	top := &source{path: common, open: common, below: map[string]*source{}}
	for _, p := range paths {
		at := top
		names := strings.Split(strings.TrimPrefix(strings.TrimPrefix(p, common), "/"), "/")
		for _, name := range names[:len(names)-1] {
			if at.below[name] == nil {
				full := join(at.path, name)
				at.below[name] = &source{path: full, open: full, below: map[string]*source{}}
			}
			at = at.below[name]
		}
		at.below[names[len(names)-1]] = found[p]
	}
	return top
}

// File reports whether the only source is no folder, and opens it as an item
// then. Close closes what is held for the item.
func (s *Sources) File() (item *Item, close func(), err error) {
	if !s.file {
		return nil, nil, nil
	}
	dir, base, err := openOuter(s.top.open)
	if err != nil {
		return nil, nil, err
	}
	info, err := dir.Lstat(base)
	if err == nil && !info.Mode().IsRegular() { // what a pipe or a device gives would be lost
		err = fmt.Errorf("%s is neither a file nor a folder", s.top.path)
	}
	if err != nil {
		dir.Close()
		return nil, nil, err
	}
	item = &Item{Stat: StatOf(info), Name: path.Base(s.top.path), Path: s.top.path, dir: &Dir{root: dir}, base: base, info: info}
	return item, func() { dir.Close() }, nil
}

// openOuter opens the folder that a path lies in.
func openOuter(p string) (dir *os.Root, base string, err error) {
	dir, err = os.OpenRoot(path.Dir(p))
	return dir, path.Base(p), err
}

// ReadPaths reads a list of paths: a line each, or, where there is a zero byte,
// each ended by one. Empty ones are passed over.
func ReadPaths(text []byte) []string {
	separator := "\n"
	if strings.ContainsRune(string(text), 0) {
		separator = "\x00"
	}
	var paths []string
	for p := range strings.SplitSeq(string(text), separator) {
		if separator == "\n" {
			p = strings.TrimSuffix(p, "\r")
		}
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}
