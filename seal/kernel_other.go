//go:build !linux

package seal

import "os"

// kernelFileSystem names file systems of the kernel's own; here none is known.
func kernelFileSystem(*os.File) string { return "" }
