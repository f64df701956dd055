//go:build darwin || freebsd || netbsd

package seal

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when a file or its attributes were changed, if that is known.
func changeTime(info fs.FileInfo) (time.Time, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(stat.Ctimespec.Unix()), true
}
