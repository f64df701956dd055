//go:build linux || darwin

package fileattr

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// AttributeNames are the names of a file's extended attributes, as far as they
// can be had at once.
func AttributeNames(f *os.File) []string {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	var names [4096]byte
	n := 0
	if err := conn.Control(func(fd uintptr) { n, err = unix.Flistxattr(int(fd), names[:]) }); err != nil {
		return nil
	}
	if err != nil || n <= 0 {
		return nil // there are none, or no such thing on this file system
	}
	return strings.Split(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00")
}
