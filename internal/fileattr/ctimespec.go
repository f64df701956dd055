//go:build darwin || freebsd || netbsd

package fileattr

import (
	"io/fs"
	"syscall"
	"time"
)

// ChangeTime is when a file or its attributes were changed, if that is known.
func ChangeTime(info fs.FileInfo) (time.Time, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(stat.Ctimespec.Unix()), true
}
