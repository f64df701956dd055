package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrPlace: nothing can be restored to the place that was named. The error says
// why, and what to name instead.
var ErrPlace = errors.New("cannot restore there")

// checkPlace refuses what could only end in a system's error, or in the loss of
// something that nobody thought of: a file in place of a folder, a folder in
// place of a file, and what is named in a way that means something else.
func checkPlace(opts RestoreOptions, folder bool) error {
	info, err := os.Lstat(opts.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if !folder && endsInSeparator(opts.Path) {
			return placeError(opts.Path, "names a folder, but the backup is a file: remove the trailing slash, or name a file in the folder")
		}
		return nil
	}
	if err != nil {
		return err
	}
	isLink := info.Mode()&fs.ModeSymlink != 0
	if clean := filepath.Clean(opts.Path); isLink || endsInSeparator(opts.Path) {
		info, err = os.Lstat(clean)
		if err != nil {
			return err
		}
		isLink = info.Mode()&fs.ModeSymlink != 0
	}
	switch base := filepath.Base(opts.Path); {
	case isLink && endsInSeparator(opts.Path):
		return placeError(opts.Path, "is a link: name the folder it points to, or remove the trailing slash to replace the link")
	case folder && info.IsDir() && emptyFolder(os.DirFS(opts.Path)):
		return nil
	case base == "." || base == ".." || base == string(filepath.Separator):
		return placeError(opts.Path, "is a folder that is not empty and cannot be replaced: name a new file or folder in it, such as "+filepath.Join(filepath.Clean(opts.Path), "restored"))
	case info.IsDir() && folder && !opts.Force:
		return fmt.Errorf("%s: %w", opts.Path, ErrFolderExists)
	case info.IsDir() && !folder:
		return placeError(opts.Path, "is a folder, but the backup is a file: name a file in it, or remove it first")
	case !info.IsDir() && folder && !isLink:
		return placeError(opts.Path, "is not a folder, but the backup is one: choose another destination, or remove it first")
	case !opts.Force:
		return fmt.Errorf("%s: %w", opts.Path, ErrExists)
	}
	return replaceable(opts.Path, info)
}

// emptyFolder reports whether a folder has nothing in it, so that nothing is
// lost by a restore into it.
func emptyFolder(dir fs.FS) bool {
	entries, err := fs.ReadDir(dir, ".")
	return err == nil && len(entries) == 0
}

func placeError(path, why string) error { return fmt.Errorf("%w: %s %s", ErrPlace, path, why) }

func endsInSeparator(path string) bool {
	return path != "" && os.IsPathSeparator(path[len(path)-1])
}
