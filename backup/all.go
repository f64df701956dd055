package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"coffer/export"
	"coffer/protocol"
)

// ErrNotApart: two names that are two for the server would be one place here.
var ErrNotApart = errors.New("collides with another backup here: restore it by name to a different destination")

// RestoreAll restores the newest version of each file of an export below
// opts.Root, each under its own name, and calls done for each that it tried.
// Backups never overwrite one another: names that mean the same path, names
// inside another backup, and names that only this file system confuses are
// refused. It ends when done returns an error or ctx ends.
func RestoreAll(ctx context.Context, keys Keys, folder *export.Folder, opts RestoreOptions, done func(name string, restored *Restored, err error) error) error {
	names := namesOf(folder)
	a := &apart{root: opts.Root, names: make(map[string]bool, len(names)), placed: map[string][]fs.FileInfo{}}
	for _, name := range names {
		a.names[name] = true
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		restored, err := a.restore(ctx, keys, folder, name, opts)
		if err := done(name, restored, err); err != nil {
			return err
		}
	}
	return nil
}

// namesOf returns the names in an export, each before the names inside it.
func namesOf(folder *export.Folder) []string {
	var names []string
	for i, f := range folder.Files {
		if i == 0 || f.Name != folder.Files[i-1].Name {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	slices.SortStableFunc(names, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return names
}

// apart keeps what is restored below one folder apart.
type apart struct {
	root   *os.Root
	names  map[string]bool          // all there are
	placed map[string][]fs.FileInfo // what was restored, by folded name
}

func (a *apart) restore(ctx context.Context, keys Keys, folder *export.Folder, name string, opts RestoreOptions) (*Restored, error) {
	if err := CheckLocalName(name); err != nil {
		return nil, err
	}
	for outer := path.Dir(name); outer != "."; outer = path.Dir(outer) {
		if a.names[outer] || a.isPlaced(outer) {
			return nil, fmt.Errorf("%w: it is inside %q", ErrNotApart, outer)
		}
	}
	if a.isPlaced(name) {
		return nil, fmt.Errorf("%w: this file system treats both names as one", ErrNotApart)
	}
	opts.Path = name
	restored, err := RestoreExport(ctx, keys, folder, name, 0, opts)
	if err != nil {
		return restored, err
	}
	if info, err := a.root.Lstat(name); err == nil {
		key := folded(name)
		a.placed[key] = append(a.placed[key], info)
	}
	return restored, nil
}

// isPlaced reports whether a name leads to what was restored under another one.
func (a *apart) isPlaced(name string) bool {
	others := a.placed[folded(name)]
	if len(others) == 0 {
		return false
	}
	info, err := a.root.Lstat(name)
	return err == nil && slices.ContainsFunc(others, func(other fs.FileInfo) bool { return os.SameFile(info, other) })
}

// folded brings together names that some file system takes for the same. Those
// that it brings together need not be: that is asked of the file system.
func folded(name string) string {
	parts := strings.Split(cases.Fold().String(norm.NFKD.String(name)), "/")
	for i, part := range parts {
		parts[i] = strings.TrimRight(part, " .")
	}
	return strings.Join(parts, "/")
}

// CheckLocalName refuses a backup's name that cannot be that of a file below a
// folder, and of no other file: such as "../x", "a//b" and "a/".
func CheckLocalName(name string) error {
	switch {
	case protocol.CheckName(name) != nil:
		return fmt.Errorf("%w: its name is not a valid file name", ErrPlace)
	case !filepath.IsLocal(filepath.FromSlash(name)):
		return fmt.Errorf("%w: its name points outside the folder", ErrPlace)
	case path.Clean(name) != name:
		return fmt.Errorf("%w: its name has empty parts, which paths here cannot have", ErrNotApart)
	}
	return nil
}
