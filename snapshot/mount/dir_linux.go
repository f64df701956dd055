//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"coffer/snapshot"
)

// maxName is the longest name that the kernel passes on.
const maxName = 1024

// piece is a part of what the folder holds, in the order of names.
func (n *node) piece(from Chunks, i int) ([]snapshot.Entry, error) {
	got, err := n.t.trees.get(from, snapshot.Tree, n.subtree[i])
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bounds == nil {
		n.bounds = make([]bounds, len(n.subtree))
	}
	if b := &n.bounds[i]; len(got.entries) > 0 && b.last == "" {
		// Copies: the names are parts of the piece.
		b.first, b.last = strings.Clone(got.entries[0].Name), strings.Clone(got.entries[len(got.entries)-1].Name)
	}
	return got.entries, nil
}

// bounds are the names that a piece begins and ends with; empty if it has not
// been read yet.
type bounds struct{ first, last string }

// compare says whether a name comes before a piece (-1), after it (1), or may be
// in it.
func (n *node) compare(name string, i int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.bounds == nil || n.bounds[i].last == "":
		return 0
	case name < n.bounds[i].first:
		return -1
	case name > n.bounds[i].last:
		return 1
	}
	return 0
}

// find is what the folder holds of a name, nil if nothing. It reads as few pieces
// as it can, unless one is damaged: then the name may be in any other.
func (n *node) find(from Chunks, name string) (*snapshot.Entry, error) {
	low, high := 0, len(n.subtree)
	for low < high {
		middle := (low + high) / 2
		if n.compare(name, middle) == 0 {
			entries, err := n.piece(from, middle)
			if err != nil {
				return n.findBeside(from, name, err)
			}
			if e := in(entries, name); e != nil || n.compare(name, middle) == 0 {
				return e, nil
			}
		}
		if n.compare(name, middle) < 0 {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return nil, nil
}

// findBeside finds a name in a folder of which something is damaged.
func (n *node) findBeside(from Chunks, name string, damage error) (*snapshot.Entry, error) {
	for i := range n.subtree {
		if entries, err := n.piece(from, i); err == nil {
			if e := in(entries, name); e != nil {
				return e, nil
			}
		}
	}
	return nil, damage
}

func in(entries []snapshot.Entry, name string) *snapshot.Entry {
	i := sort.Search(len(entries), func(i int) bool { return entries[i].Name >= name })
	if i < len(entries) && entries[i].Name == name {
		return &entries[i]
	}
	return nil
}

// Lookup finds a name in the folder.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	from, _, err := n.t.open(n.v)
	if err != nil {
		return nil, n.fail(err)
	}
	e, err := n.find(from, name)
	if err != nil {
		return nil, n.fail(err)
	}
	if e == nil {
		return nil, syscall.ENOENT
	}
	inner, id := n.t.newNode(n.v, n, e, out)
	if e.Type != snapshot.Dir {
		n.t.known.add(&n.Inode, name)
	}
	return n.NewInode(ctx, inner, id), 0
}

// OpendirHandle opens the folder for listing it.
func (n *node) OpendirHandle(_ context.Context, _ uint32) (fs.FileHandle, uint32, syscall.Errno) {
	from, _, err := n.t.open(n.v)
	if err != nil {
		return nil, 0, n.fail(err)
	}
	return &listing{n: n, from: from}, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_CACHE_DIR, 0
}

// A listing is a folder that is being listed.
type listing struct {
	n    *node
	from Chunks

	mu      sync.Mutex
	piece   int
	index   int // of the next entry in the piece
	damaged bool
}

var (
	_ fs.FileReaddirenter = (*listing)(nil)
	_ fs.FileSeekdirer    = (*listing)(nil)
)

// An offset in a listing is a number of a piece and one of an entry in it.
const indexBits = 20 // a piece has less bytes

// Seekdir goes to an offset that an entry came with.
func (l *listing) Seekdir(_ context.Context, offset uint64) syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset>>indexBits > uint64(len(l.n.subtree)) {
		return syscall.EINVAL
	}
	l.piece, l.index = int(offset>>indexBits), int(offset&(1<<indexBits-1))
	if offset == 0 {
		l.damaged = false
	}
	return 0
}

// Readdirent is the next entry. What is damaged is an error once all else was
// listed.
func (l *listing) Readdirent(_ context.Context) (*fuse.DirEntry, syscall.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; l.piece < len(l.n.subtree); l.piece, l.index = l.piece+1, 0 {
		entries, err := l.n.piece(l.from, l.piece)
		if err != nil {
			l.n.fail(err)
			l.damaged = true
			continue
		}
		for l.index < len(entries) {
			e := &entries[l.index]
			l.index++
			if len(e.Name) > maxName {
				l.n.fail(fmt.Errorf("the name %.60q... is too long for a file on this system", e.Name))
				l.damaged = true
				continue
			}
			return &fuse.DirEntry{Name: e.Name, Mode: fileType(e.Type), Ino: l.n.inodeOf(e), Off: uint64(l.piece)<<indexBits | uint64(l.index)}, 0
		}
	}
	if l.damaged {
		return nil, syscall.EIO
	}
	return nil, 0
}
