//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"context"
	"strconv"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// root is the folder that is mounted.
type root struct {
	fs.Inode
	t *tree
}

// upper is the folder of a name.
type upper struct {
	fs.Inode
	t    *tree
	name string
}

// link is a symbolic link to a version.
type link struct {
	fs.Inode
	t    *tree
	name string // of the folder
	link string
}

var (
	_ fs.NodeGetattrer  = (*root)(nil)
	_ fs.NodeAccesser   = (*root)(nil)
	_ fs.NodeLookuper   = (*root)(nil)
	_ fs.NodeReaddirer  = (*root)(nil)
	_ fs.NodeStatfser   = (*root)(nil)
	_ fs.NodeGetattrer  = (*upper)(nil)
	_ fs.NodeAccesser   = (*upper)(nil)
	_ fs.NodeLookuper   = (*upper)(nil)
	_ fs.NodeReaddirer  = (*upper)(nil)
	_ fs.NodeGetattrer  = (*link)(nil)
	_ fs.NodeReadlinker = (*link)(nil)
)

// own are the attributes of what is in no snapshot.
func (t *tree) own(mode uint32, changed time.Time, out *fuse.Attr) {
	out.Mode, out.Nlink, out.Uid, out.Gid = mode, 1, t.uid, t.gid
	out.SetTimes(&changed, &changed, &changed)
}

// Getattr says what stat(2) does.
func (r *root) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	r.t.own(syscall.S_IFDIR|0o555, r.t.began, &out.Attr)
	return 0
}

// Access lets everybody in whom the kernel asks for.
func (r *root) Access(_ context.Context, mask uint32) syscall.Errno { return readable(mask) }

// Statfs says how long names can be.
func (r *root) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, maxName
	return 0
}

// Lookup finds a name.
func (r *root) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	all, err := r.t.shelf()
	if err != nil {
		return nil, r.t.fail(".", err)
	}
	list := all[name]
	if len(list) == 0 {
		return nil, syscall.ENOENT
	}
	r.t.own(syscall.S_IFDIR|0o555, list[0].Time, &out.Attr)
	return r.NewInode(ctx, &upper{t: r.t, name: name}, fs.StableAttr{Mode: syscall.S_IFDIR, Ino: inode(rootIno, name)}), 0
}

// Readdir lists the names.
func (r *root) Readdir(_ context.Context) (fs.DirStream, syscall.Errno) {
	all, err := r.t.shelf()
	if err != nil {
		return nil, r.t.fail(".", err)
	}
	var list []fuse.DirEntry
	for _, name := range all.names() {
		list = append(list, fuse.DirEntry{Name: name, Mode: syscall.S_IFDIR, Ino: inode(rootIno, name)})
	}
	return fs.NewListDirStream(list), 0
}

// Getattr says what stat(2) does.
func (u *upper) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	all, err := u.t.shelf()
	if err != nil {
		return u.t.fail(u.name, err)
	}
	if list := all[u.name]; len(list) > 0 {
		u.t.own(syscall.S_IFDIR|0o555, list[0].Time, &out.Attr)
		return 0
	}
	return syscall.ESTALE // the last version was removed
}

// Access lets everybody in whom the kernel asks for.
func (u *upper) Access(_ context.Context, mask uint32) syscall.Errno { return readable(mask) }

// Lookup finds a version, or a link to one.
func (u *upper) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	all, err := u.t.shelf()
	if err != nil {
		return nil, u.t.fail(u.name, err)
	}
	if v := all.version(u.name, name); v != nil {
		at := version{v.Name, v.Number}
		_, e, err := u.t.open(at)
		if err != nil {
			return nil, u.t.fail(at.path(), err)
		}
		n, id := u.t.newNode(at, nil, e, out)
		out.SetEntryTimeout(fresh) // it may be removed
		return u.NewInode(ctx, n, id), 0
	}
	number := all.number(u.name, name)
	if number == 0 {
		return nil, syscall.ENOENT
	}
	u.t.link(all.version(u.name, strconv.FormatUint(uint64(number), 10)), &out.Attr)
	ino := inode(inode(rootIno, u.name), name)
	return u.NewInode(ctx, &link{t: u.t, name: u.name, link: name}, fs.StableAttr{Mode: syscall.S_IFLNK, Ino: ino}), 0
}

// link are the attributes of a link to a version.
func (t *tree) link(v *Version, out *fuse.Attr) {
	t.own(syscall.S_IFLNK|0o777, v.Time, out)
	out.Size = uint64(len(strconv.FormatUint(uint64(v.Number), 10)))
}

// Readdir lists versions and links.
func (u *upper) Readdir(_ context.Context) (fs.DirStream, syscall.Errno) {
	all, err := u.t.shelf()
	if err != nil {
		return nil, u.t.fail(u.name, err)
	}
	dir := inode(rootIno, u.name)
	var list []fuse.DirEntry
	add := func(name string, mode uint32, ino uint64) {
		list = append(list, fuse.DirEntry{Name: name, Mode: mode, Ino: ino})
	}
	var before string
	for _, v := range all[u.name] {
		at := version{v.Name, v.Number}
		add(strconv.FormatUint(uint64(v.Number), 10), 0, inode(rootIno, at.path()))
		// Of versions of one second, the newest has the link.
		if name := v.Time.Local().Format(timeForm); name != before && all.number(u.name, name) == v.Number {
			add(name, syscall.S_IFLNK, inode(dir, name))
			before = name
		}
	}
	if len(list) > 0 {
		add(latest, syscall.S_IFLNK, inode(dir, latest))
	}
	return fs.NewListDirStream(list), 0
}

// Getattr says what stat(2) does.
func (l *link) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	v, errno := l.version()
	if errno == 0 {
		l.t.link(v, &out.Attr)
	}
	return errno
}

// Readlink says where the link leads now.
func (l *link) Readlink(_ context.Context) ([]byte, syscall.Errno) {
	v, errno := l.version()
	if errno != 0 {
		return nil, errno
	}
	return strconv.AppendUint(nil, uint64(v.Number), 10), 0
}

func (l *link) version() (*Version, syscall.Errno) {
	all, err := l.t.shelf()
	if err != nil {
		return nil, l.t.fail(l.name+"/"+l.link, err)
	}
	v := all.version(l.name, strconv.FormatUint(uint64(all.number(l.name, l.link)), 10))
	if v == nil {
		return nil, syscall.ESTALE
	}
	return v, 0
}
