//go:build !linux

package sqlite

import "os"

// allocate has a file take so many bytes from offset on, where it ends, as
// zeros.
func allocate(f *os.File, offset, size int64) error { return writeZeros(f, offset, size) }
