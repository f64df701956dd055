//go:build linux || darwin || freebsd

package seal

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// FreeSpace is how many bytes a program may still write where a folder lies.
func FreeSpace(dir *os.Root) (int64, error) {
	f, err := dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stat unix.Statfs_t
	if controlErr := conn.Control(func(fd uintptr) { err = unix.Fstatfs(int(fd), &stat) }); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	if blocks := max(int64(stat.Bavail), 0); blocks < math.MaxInt64/max(int64(stat.Bsize), 1) {
		return blocks * int64(stat.Bsize), nil
	}
	return math.MaxInt64, nil
}
