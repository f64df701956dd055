//go:build unix

package seal

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openNonblock keeps an open from waiting, should the file have become a pipe.
const openNonblock = syscall.O_NONBLOCK

// An inode is what makes two names one file.
type inode struct{ device, number uint64 }

// sharedInode gives the inode of a file that has more than one name.
func sharedInode(info fs.FileInfo) (id inode, shared bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink < 2 {
		return inode{}, false
	}
	return inode{device: uint64(stat.Dev), number: stat.Ino}, true
}

// deviceOf is what a file lies on.
func deviceOf(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev)
	}
	return 0
}

// isGone reports a file without any name.
func isGone(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// sparse tells of a file with holes.
func (a *archiver) sparse(f *os.File, path string, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Blocks*512 >= info.Size() || a.notKept[lostHoles] {
		return
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return
	}
	hole, err := f.Seek(0, unix.SEEK_HOLE)
	if _, back := f.Seek(at, io.SeekStart); err == nil && back == nil && hole < info.Size() {
		a.lose(lostHoles, path)
	}
}

// accounts names owners, asking the system for each but once.
type accounts struct {
	users, groups map[int]string
}

func newAccounts() *accounts {
	return &accounts{users: map[int]string{}, groups: map[int]string{}}
}

// describe writes the owner of a file into its header.
func (a *accounts) describe(header *tar.Header, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	header.Uid, header.Gid = int(stat.Uid), int(stat.Gid)
	header.Uname = known(a.users, header.Uid, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
	header.Gname = known(a.groups, header.Gid, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

// known is the name of an id; one that the system does not know has none.
func known(names map[int]string, id int, lookup func(string) (string, error)) string {
	name, asked := names[id]
	if !asked {
		if found, err := lookup(strconv.Itoa(id)); err == nil {
			name = found
		}
		names[id] = name
	}
	return name
}

// ownerOf is whom a file belongs to, if that is known.
func ownerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// canChown says whether files may be given to other owners.
func canChown() bool { return os.Geteuid() == 0 }

// setLinkTime sets the time of a symbolic link itself.
func setLinkTime(dir *os.Root, name string, t time.Time) error {
	stamp, err := unix.TimeToTimespec(t)
	if err != nil {
		return fmt.Errorf("time of the link: %w", err)
	}
	handle, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer handle.Close()
	conn, err := handle.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = unix.UtimesNanoAt(int(fd), name, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	}); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: "utimensat", Path: name, Err: failed}
	}
	return nil
}
