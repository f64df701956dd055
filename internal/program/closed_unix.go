//go:build unix

package program

import (
	"os"

	"golang.org/x/sys/unix"
)

// Closed reports a standard stream that its process was started without. The Go
// runtime opens the null device in its place, for reading and writing, which no
// shell's redirection does; but some programs, such as Python's, start others
// this way to mean that nobody reads or writes. The two cannot be
// distinguished. So only commands that exist for what they print check this: one
// that does something else works when nobody reads it.
func Closed(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	var flags int
	if controlErr := conn.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) }); controlErr != nil || err != nil {
		return true
	}
	if flags&unix.O_ACCMODE != unix.O_RDWR {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
