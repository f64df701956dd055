//go:build unix && !linux

package fileattr

import (
	"io/fs"
	"os"
)

// MakeNode makes a pipe, a socket or a device, which is done on Linux alone.
func MakeNode(*os.Root, string, fs.FileMode, uint32, uint32) error { return ErrUnsupported }
