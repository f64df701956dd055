//go:build !linux

package fileattr

import "os"

// KernelFileSystem returns the kind of a kernel's file system; none is known
// here.
func KernelFileSystem(*os.File) string { return "" }
