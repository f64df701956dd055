//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"container/list"
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"

	"coffer/snapshot"
)

// A tree is what all folders of a mount have in common.
type tree struct {
	// ctx is that of all that is fetched. The one of a request ends with any
	// signal to the program that waits, which few expect to fail for that; those
	// that a signal kills do not wait.
	ctx      context.Context
	root     *root
	lib      Library
	failed   func(string, error)
	uid, gid uint32 // of the user who mounts
	began    time.Time
	now      func() time.Time

	trees, data *chunks
	known       *known

	listing sync.Mutex // held while versions are listed
	shelved shelf
	listed  time.Time

	opening sync.Mutex
	opened  *list.List // of *opened, the one used last first

	mu   sync.Mutex
	said map[string]bool // paths that a failure was reported of
}

func newTree(ctx context.Context, lib Library, opts Options) *tree {
	t := &tree{
		ctx: ctx, lib: lib, failed: opts.Failed, uid: uint32(os.Geteuid()), gid: uint32(os.Getegid()), began: time.Now(), now: time.Now,
		trees: newChunks(ctx, treeRoom), data: newChunks(ctx, dataRoom), known: newKnown(maxKnown),
		opened: list.New(), said: map[string]bool{},
	}
	t.root = &root{t: t}
	return t
}

// maxSaid is of how many paths failures are remembered, in order not to report
// them each time that a program tries again.
const maxSaid = 4096

// fail reports what an operation fails with, once for a path.
func (t *tree) fail(path string, err error) syscall.Errno {
	if t.ctx.Err() != nil {
		return syscall.EIO // the mount ends
	}
	t.mu.Lock()
	said := t.said[path]
	if len(t.said) >= maxSaid {
		clear(t.said)
	}
	t.said[path] = true
	t.mu.Unlock()
	if !said && t.failed != nil {
		t.failed(path, err)
	}
	return syscall.EIO
}

// maxOpened is how many snapshots are kept open.
const maxOpened = 16

type opened struct {
	v    version
	once sync.Once
	from Chunks
	root *snapshot.Entry
	err  error
}

// open opens a snapshot, once for all who ask.
func (t *tree) open(v version) (Chunks, *snapshot.Entry, error) {
	o := t.slot(v)
	o.once.Do(func() { o.from, o.root, o.err = t.lib.Open(t.ctx, v.name, v.number) })
	if o.err != nil {
		t.forget(o)
	}
	return o.from, o.root, o.err
}

func (t *tree) slot(v version) *opened {
	t.opening.Lock()
	defer t.opening.Unlock()
	for at := t.opened.Front(); at != nil; at = at.Next() {
		if o := at.Value.(*opened); o.v == v {
			t.opened.MoveToFront(at)
			return o
		}
	}
	o := &opened{v: v}
	t.opened.PushFront(o)
	if t.opened.Len() > maxOpened {
		t.opened.Remove(t.opened.Back())
	}
	return o
}

// forget has one that could not be opened be tried again.
func (t *tree) forget(o *opened) {
	t.opening.Lock()
	defer t.opening.Unlock()
	for at := t.opened.Front(); at != nil; at = at.Next() {
		if at.Value.(*opened) == o {
			t.opened.Remove(at)
			return
		}
	}
}

// maxKnown is how many files the kernel may know at once.
const maxKnown = 50_000

// known has the kernel forget files that it learnt of long ago. It forgets by
// itself only when memory is short, which is that of the whole system. Folders
// are left alone: a program may be in one.
type known struct {
	limit int
	full  chan struct{}

	mu    sync.Mutex
	files []file // the oldest first
}

type file struct {
	dir  *fs.Inode
	name string
}

func newKnown(limit int) *known { return &known{limit: limit, full: make(chan struct{}, 1)} }

func (k *known) add(dir *fs.Inode, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files = append(k.files, file{dir, name})
	if len(k.files) > k.limit {
		select {
		case k.full <- struct{}{}:
		default:
		}
	}
}

// excess takes the oldest files out, until a quarter of the limit is free.
func (k *known) excess() []file {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := max(0, len(k.files)-k.limit*3/4)
	list := k.files[:n]
	k.files = append([]file(nil), k.files[n:]...)
	return list
}

// run has files be forgotten until done.
func (k *known) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-k.full:
			for _, f := range k.excess() {
				// One that is gone already, or in use, is none the worse for it.
				f.dir.NotifyEntry(f.name)
			}
		}
	}
}
