package seal

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// FreeSpace is how many bytes a program may still write where a folder lies.
func FreeSpace(dir *os.Root) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir.Name())
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, os.NewSyscallError("GetDiskFreeSpaceEx", err)
	}
	return int64(min(free, math.MaxInt64)), nil
}
