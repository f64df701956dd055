package fileattr

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Attributes are the extended attributes of an open file or folder, sorted by
// name. None are no error, nor a file system without such.
func Attributes(f *os.File) ([]Attribute, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var found []Attribute
	var failed error
	if err := conn.Control(func(fd uintptr) {
		found, failed = attributes(
			func(to []byte) (int, error) { return unix.Flistxattr(int(fd), to) },
			func(name string, to []byte) (int, error) { return unix.Fgetxattr(int(fd), name, to) })
	}); err != nil {
		return nil, err
	}
	return found, failed
}

// AttributesAt are those of what a name directly in dir stands for, of a
// symbolic link itself.
func AttributesAt(dir *os.Root, name string) (found []Attribute, err error) {
	err = at(dir, "listxattr", name, func(fd int) (err error) {
		path := pathBelow(fd, name)
		found, err = attributes(
			func(to []byte) (int, error) { return unix.Llistxattr(path, to) },
			func(name string, to []byte) (int, error) { return unix.Lgetxattr(path, name, to) })
		return err
	})
	return found, err
}

// pathBelow names what lies in a folder by its descriptor: calls for extended
// attributes of a symbolic link take paths alone.
func pathBelow(fd int, name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", fd, name) }

func attributes(list func([]byte) (int, error), get func(string, []byte) (int, error)) ([]Attribute, error) {
	var space [1024]byte
	names, err := grown(space[:], list)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil, nil
	}
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var found []Attribute
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		value, err := grown(make([]byte, 256), func(to []byte) (int, error) { return get(name, to) })
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			continue // it has just gone
		}
		if err != nil {
			return found, fmt.Errorf("extended attribute %q: %w", name, err)
		}
		found = append(found, Attribute{name, value})
	}
	slices.SortFunc(found, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// grown calls get with more space until what it gives fits.
func grown(space []byte, get func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := get(space)
		if err == nil {
			return space[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) || len(space) > 1<<20 {
			return nil, err
		}
		space = make([]byte, 4*len(space))
	}
}

// SetAttributeAt sets an extended attribute of what a name directly in dir
// stands for, of a symbolic link itself.
func SetAttributeAt(dir *os.Root, name string, a Attribute) error {
	return at(dir, "setxattr", name, func(fd int) error { return unix.Lsetxattr(pathBelow(fd, name), a.Name, a.Value, 0) })
}

// RemoveAttributeAt removes one.
func RemoveAttributeAt(dir *os.Root, name, attribute string) error {
	return at(dir, "removexattr", name, func(fd int) error { return unix.Lremovexattr(pathBelow(fd, name), attribute) })
}
