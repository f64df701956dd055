package seal

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrUnsafeArchive: an archive holds an entry that would reach outside the
// folder it is unpacked into, replace another entry, or make what no archive of
// ours holds. The error names the entry.
var ErrUnsafeArchive = errors.New("refused an unsafe archive")

// refuse says which entry is refused and why.
func refuse(name, why string) error {
	return fmt.Errorf("%w: entry %.300q %s", ErrUnsafeArchive, name, why)
}

// localName checks the name of an entry, or what a hard link names, and gives
// it without a leading "./" and without the slash after a folder's name; the
// root is ".". It looks at text alone: that a name leads through no link is
// seen when it is used.
func localName(name string) (string, error) {
	local := strings.TrimSuffix(name, "/")
	for strings.HasPrefix(local, "./") {
		local = local[len("./"):]
	}
	if local == "." {
		return ".", nil
	}
	if strings.ContainsRune(local, 0) {
		return "", refuse(name, "has a NUL in its name")
	}
	depth := 0
	for part := range strings.SplitSeq(local, "/") {
		switch part {
		case "..":
			return "", refuse(name, "points outside the folder")
		case "", ".":
			return "", refuse(name, "has an invalid name")
		}
		if depth++; depth > maxDepth {
			return "", refuse(name, fmt.Sprintf("is more than %d folders deep", maxDepth))
		}
	}
	if runtime.GOOS == "windows" && !localOnWindows(local) {
		return "", refuse(name, "has a name that Windows interprets differently")
	}
	return local, nil
}

// localOnWindows reports whether Windows reads a name with slashes as intended:
// without drives, streams, other separators and names of devices.
func localOnWindows(name string) bool {
	if strings.ContainsAny(name, `\:`) {
		return false
	}
	return runtime.GOOS != "windows" || filepath.IsLocal(filepath.FromSlash(name))
}

// split is a name's folder and its last part.
func split(name string) (folder, base string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return ".", name
}
