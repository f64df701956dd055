//go:build linux || darwin

package seal

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// attributes tells of a file's extended attributes.
func (a *archiver) attributes(f *os.File, path string) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	var names [4096]byte
	n := 0
	if err := conn.Control(func(fd uintptr) { n, err = unix.Flistxattr(int(fd), names[:]) }); err != nil {
		return
	}
	if err != nil || n <= 0 {
		return // there are none, or no such thing on this file system
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		a.lose(lostKind(name), path)
	}
}
