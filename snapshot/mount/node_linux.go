//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"coffer/snapshot"
)

// A node is a file or folder of a snapshot that the kernel knows. It says where
// its entry is found again, and keeps none: the kernel knows many.
type node struct {
	fs.Inode
	t    *tree
	v    version
	dir  *node  // nil for a snapshot's root
	name string // in dir
	ino  uint64

	subtree []snapshot.Place // of a folder

	mu     sync.Mutex
	bounds []bounds // of the pieces of subtree
}

var (
	_ fs.NodeGetattrer      = (*node)(nil)
	_ fs.NodeAccesser       = (*node)(nil)
	_ fs.NodeReadlinker     = (*node)(nil)
	_ fs.NodeOpener         = (*node)(nil)
	_ fs.NodeLookuper       = (*node)(nil)
	_ fs.NodeOpendirHandler = (*node)(nil)
	_ fs.NodeListxattrer    = (*node)(nil)
	_ fs.NodeGetxattrer     = (*node)(nil)
)

// forever is how long the kernel may keep what never changes.
const forever = 24 * time.Hour

// path is where the node is, below the folder that is mounted.
func (n *node) path() string {
	if n.dir == nil {
		return n.v.path()
	}
	return n.dir.path() + "/" + n.name
}

// fail reports what an operation fails with.
func (n *node) fail(err error) syscall.Errno {
	return n.t.fail(n.path(), err)
}

// entry finds the node's entry again.
func (n *node) entry() (Chunks, *snapshot.Entry, error) {
	from, root, err := n.t.open(n.v)
	if err != nil || n.dir == nil {
		return from, root, err
	}
	e, err := n.dir.find(from, n.name)
	if err == nil && e == nil {
		err = snapshot.ErrMalformed // it was there before
	}
	return from, e, err
}

// newNode makes the node of an entry, and says its attributes.
func (t *tree) newNode(v version, dir *node, e *snapshot.Entry, out *fuse.EntryOut) (*node, fs.StableAttr) {
	n := &node{t: t, v: v, dir: dir, name: e.Name, ino: inode(rootIno, v.path())}
	if dir != nil {
		n.ino = dir.inodeOf(e)
	}
	if e.Type == snapshot.Dir {
		n.subtree = append(n.subtree, e.Subtree...)
	}
	t.attributes(e, &out.Attr)
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	return n, fs.StableAttr{Mode: fileType(e.Type), Ino: n.ino}
}

// inodeOf is the inode number of an entry in the folder. All names of a file are
// one node, unless it changed between them as it was backed up.
func (n *node) inodeOf(e *snapshot.Entry) uint64 {
	if e.Link == "" {
		return inode(n.ino, e.Name)
	}
	return inode(rootIno, n.v.path()+"\x00"+e.Link+"\x00"+e.MTime.String()+"\x00"+e.CTime.String())
}

// rootIno is the inode number of the folder that is mounted.
const rootIno = 1

// inode is the number of a name in a folder: the same in every mount.
func inode(dir uint64, name string) uint64 {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, dir), name...))
	return max(rootIno+1, binary.BigEndian.Uint64(sum[:])>>1)
}

func fileType(t snapshot.Type) uint32 {
	switch t {
	case snapshot.Dir:
		return syscall.S_IFDIR
	case snapshot.Symlink:
		return syscall.S_IFLNK
	case snapshot.FIFO:
		return syscall.S_IFIFO
	case snapshot.Socket:
		return syscall.S_IFSOCK
	case snapshot.Char:
		return syscall.S_IFCHR
	case snapshot.Block:
		return syscall.S_IFBLK
	}
	return syscall.S_IFREG
}

// attributes are what stat(2) says of an entry.
func (t *tree) attributes(e *snapshot.Entry, out *fuse.Attr) {
	out.Mode, out.Uid, out.Gid = e.Mode, e.UID, e.GID
	if e.NoMode {
		out.Mode, out.Uid, out.Gid = 0o644, t.uid, t.gid
		if e.Type == snapshot.Dir {
			out.Mode = 0o755
		}
	}
	out.Mode |= fileType(e.Type)
	out.Nlink = 1
	if e.Link != "" {
		out.Nlink = 2 // at least: how many there are, only the whole snapshot says
	}
	switch e.Type {
	case snapshot.File:
		out.Size = e.Size
		filled := e.Size
		for _, h := range e.Holes {
			filled -= h.Length
		}
		out.Blocks = (filled + 511) / 512
	case snapshot.Symlink:
		out.Size = uint64(len(e.Target))
	case snapshot.Char, snapshot.Block:
		out.Rdev = uint32(unix.Mkdev(e.Major, e.Minor))
	}
	out.Mtime, out.Mtimensec = uint64(e.MTime.Sec), e.MTime.Nsec
	out.Atime, out.Atimensec = out.Mtime, out.Mtimensec
	out.Ctime, out.Ctimensec = out.Mtime, out.Mtimensec
	if e.CTime.Known {
		out.Ctime, out.Ctimensec = uint64(e.CTime.Sec), e.CTime.Nsec
	}
}

// Getattr says what stat(2) does.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	_, e, err := n.entry()
	if err != nil {
		return n.fail(err)
	}
	n.t.attributes(e, &out.Attr)
	out.Ino = n.ino
	out.SetTimeout(forever)
	return 0
}

// Access is asked only if the kernel does not check modes: whoever mounts may
// read everything.
func (n *node) Access(_ context.Context, mask uint32) syscall.Errno { return readable(mask) }

func readable(mask uint32) syscall.Errno {
	if mask&unix.W_OK != 0 {
		return syscall.EROFS
	}
	return 0
}

// Readlink says where a symbolic link leads.
func (n *node) Readlink(_ context.Context) ([]byte, syscall.Errno) {
	_, e, err := n.entry()
	if err != nil {
		return nil, n.fail(err)
	}
	return []byte(e.Target), 0
}

// Open opens a file for reading.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	from, e, err := n.entry()
	if err == nil && e.Error != "" {
		err = &unreadError{e.Error}
	}
	if err != nil {
		return nil, 0, n.fail(err)
	}
	return newContent(n, from, e), fuse.FOPEN_KEEP_CACHE, 0
}

// An unreadError is about a file that could not be read in whole as it was backed
// up.
type unreadError struct{ reason string }

func (e *unreadError) Error() string {
	return "it could not be read when it was backed up: " + e.reason
}

// Listxattr lists extended attributes.
func (n *node) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	_, e, err := n.entry()
	if err != nil {
		return 0, n.fail(err)
	}
	var names []byte
	for _, x := range e.Xattrs {
		names = append(append(names, x.Name...), 0)
	}
	return give(dest, names)
}

// Getxattr reads an extended attribute.
func (n *node) Getxattr(_ context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	_, e, err := n.entry()
	if err != nil {
		return 0, n.fail(err)
	}
	for _, x := range e.Xattrs {
		if x.Name == name {
			return give(dest, x.Value)
		}
	}
	return 0, unix.ENODATA
}

func give(dest, value []byte) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), syscall.ERANGE
	}
	return uint32(copy(dest, value)), 0
}
