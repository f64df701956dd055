//go:build unix

package fileattr

import (
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

// OpenNonblock keeps an open from waiting, should the file have become a pipe.
const OpenNonblock = syscall.O_NONBLOCK

// InodeOf gives a file's inode, if that is known.
func InodeOf(info fs.FileInfo) (Inode, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Inode{}, false
	}
	return Inode{Device: uint64(stat.Dev), Number: stat.Ino}, true
}

// SharedInode gives the inode of a file that has more than one name.
func SharedInode(info fs.FileInfo) (id Inode, shared bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink < 2 {
		return Inode{}, false
	}
	return Inode{Device: uint64(stat.Dev), Number: stat.Ino}, true
}

// DeviceOf is what a file lies on.
func DeviceOf(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev)
	}
	return 0
}

// DeviceNumbers are those of a device.
func DeviceNumbers(info fs.FileInfo) (major, minor uint32) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&fs.ModeDevice == 0 {
		return 0, 0
	}
	return unix.Major(uint64(stat.Rdev)), unix.Minor(uint64(stat.Rdev))
}

// IsGone reports a file without any name.
func IsGone(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// MayBeSparse reports a file that takes less room than its size.
func MayBeSparse(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Blocks*512 < info.Size()
}

// FirstHole is where the first hole of a file of so many bytes is, if it has
// one. The file is read on where it was.
func FirstHole(f *os.File, size int64) (hole int64, ok bool) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, false
	}
	hole, err = f.Seek(0, unix.SEEK_HOLE)
	_, back := f.Seek(at, io.SeekStart)
	return hole, err == nil && back == nil && hole < size
}

// Holes are the holes in the first size bytes of a file. The file is read on
// where it was.
func Holes(f *os.File, size int64) []Range {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	defer f.Seek(at, io.SeekStart)
	var holes []Range
	for end := int64(0); end < size; {
		begin, err := f.Seek(end, unix.SEEK_HOLE)
		if err != nil || begin >= size {
			break
		}
		end, err = f.Seek(begin, unix.SEEK_DATA)
		if err != nil || end > size { // no data follows
			end = size
		}
		if end <= begin {
			break // the file is being written to
		}
		holes = append(holes, Range{begin, end - begin})
	}
	return holes
}

// Accounts names owners, asking the system for each but once. It is used by one
// goroutine at a time.
type Accounts struct {
	users, groups map[int]string
}

// NewAccounts makes one that has asked for nobody.
func NewAccounts() *Accounts {
	return &Accounts{users: map[int]string{}, groups: map[int]string{}}
}

// Names are those of an owner; one that the system does not know has none.
func (a *Accounts) Names(uid, gid int) (userName, groupName string) {
	userName = known(a.users, uid, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
	groupName = known(a.groups, gid, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
	return userName, groupName
}

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

// OwnerOf gives a file's owner, if that is known.
func OwnerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// CanChown says whether files may be given to other owners.
func CanChown() bool { return os.Geteuid() == 0 }

// SetLinkTime sets the time of what a name stands for, of a symbolic link
// itself.
func SetLinkTime(dir *os.Root, name string, t time.Time) error {
	stamp, err := unix.TimeToTimespec(t)
	if err != nil {
		return fmt.Errorf("time of the link: %w", err)
	}
	return at(dir, "utimensat", name, func(fd int) error {
		return unix.UtimesNanoAt(fd, name, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// at calls f with a folder's descriptor, for a name in it.
func at(dir *os.Root, op, name string, f func(fd int) error) error {
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
	if err := conn.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return &os.PathError{Op: op, Path: name, Err: failed}
	}
	return nil
}
