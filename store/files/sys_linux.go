package files

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// pageSize is the unit in which holes are punched; smaller pages only waste.
const pageSize = 4096

// syncData syncs what is needed to read the file back.
func syncData(f *os.File) error {
	var err error
	if ctlErr := control(f, func(fd int) { err = unix.Fdatasync(fd) }); ctlErr != nil {
		return ctlErr
	}
	return os.NewSyscallError("fdatasync", err)
}

// startWriteback has the kernel begin to write what is dirty, and does not
// wait for it. It is a hint, so its failure is none.
func startWriteback(f *os.File) {
	_ = control(f, func(fd int) { _ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) })
}

// punchHole gives the pages within a range back to the file system, if that
// can do it. Where it would need room for that and has none, they go with
// their pack.
func punchHole(f *os.File, offset, size int64) error {
	first := (offset + pageSize - 1) / pageSize * pageSize
	last := (offset + size) / pageSize * pageSize
	if first >= last {
		return nil
	}
	var err error
	ctlErr := control(f, func(fd int) {
		err = unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, first, last-first)
	})
	if ctlErr != nil {
		return ctlErr
	}
	if errors.Is(err, unix.EOPNOTSUPP) || isFull(err) {
		return nil
	}
	return os.NewSyscallError("fallocate", err)
}

func control(f *os.File, use func(fd int)) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(func(fd uintptr) { use(int(fd)) })
}
