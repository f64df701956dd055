package files

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// diskSpace returns the bytes that are free for this user, and in all.
func diskSpace(dir string) (free, total uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, &total, nil)
	return free, total, os.NewSyscallError("GetDiskFreeSpaceEx", err)
}

// isFull reports whether err says that there is no room left.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// syncDir does nothing: NTFS keeps names in its journal, and has no call to
// wait for it.
func syncDir(*os.Root, string) error { return nil }
