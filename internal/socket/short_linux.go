package socket

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// shorten returns a path to the same socket that fits into an address, through
// the folder's descriptor. It is valid until done is called.
func shorten(path string) (short string, done func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	folder, base := filepath.Split(path)
	dir, err := os.OpenFile(folder, syscall.O_DIRECTORY|os.O_RDONLY, 0)
	if err != nil {
		return "", nil, err
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), base)
	if len(short) > maxPath {
		dir.Close()
		return "", nil, tooLong(path)
	}
	return short, func() { dir.Close() }, nil
}
