package fileattr

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// MakeNode makes a pipe, a socket or a device, of which mode says which. Name
// lies directly in dir.
func MakeNode(dir *os.Root, name string, mode fs.FileMode, major, minor uint32) error {
	var kind uint32
	switch {
	case mode&fs.ModeNamedPipe != 0:
		kind = unix.S_IFIFO
	case mode&fs.ModeSocket != 0:
		kind = unix.S_IFSOCK
	case mode&fs.ModeCharDevice != 0:
		kind = unix.S_IFCHR
	case mode&fs.ModeDevice != 0:
		kind = unix.S_IFBLK
	default:
		return ErrUnsupported
	}
	return at(dir, "mknodat", name, func(fd int) error {
		return unix.Mknodat(fd, name, kind|0o600, int(unix.Mkdev(major, minor)))
	})
}
