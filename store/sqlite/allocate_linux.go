package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate has a file take so many bytes from offset on, where it ends, as
// zeros.
func allocate(f *os.File, offset, size int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = unix.Fallocate(int(fd), 0, offset, size) }); err != nil {
		return err
	}
	if errors.Is(failed, unix.EOPNOTSUPP) {
		return writeZeros(f, offset, size)
	}
	return os.NewSyscallError("fallocate", failed)
}
