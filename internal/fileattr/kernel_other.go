//go:build !linux

package fileattr

import "os"

// KernelFileSystem names file systems of the kernel's own; here none is known.
func KernelFileSystem(*os.File) string { return "" }
