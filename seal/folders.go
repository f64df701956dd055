package seal

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"coffer/internal/fileattr"
)

// folders are the folders that one unpacking has made. An entry may lie in
// these alone, and nothing is ever replaced: so no entry's name leads through
// a link, whether names differ in case or not.
type folders struct {
	root  *os.Root
	made  []*folder // outer ones before what lies in them
	named map[string]*folder

	// The one opened last: what lies in a folder comes one after another.
	recent     *os.Root
	recentName string
}

// A folder's attributes are kept until everything is in it. One that is used
// but not listed by the archive has none.
type folder struct {
	name   string
	listed bool
	mode   fs.FileMode
	time   time.Time
	uid    int
	gid    int
}

// unlistedMode is the mode of a folder that an archive uses but does not list.
const unlistedMode = 0o755

func newFolders(root *os.Root) *folders {
	top := &folder{name: "."}
	return &folders{root: root, made: []*folder{top}, named: map[string]*folder{".": top}}
}

func (f *folders) close() {
	if f.recent != nil {
		f.recent.Close()
	}
}

// add makes a folder that the archive lists.
func (f *folders) add(name string, header *tar.Header) error {
	if f.named[name] == nil {
		if err := f.make(name, header.Name); err != nil {
			return err
		}
	}
	folder := f.named[name]
	if folder.listed {
		return refuse(header.Name, "is a duplicate")
	}
	folder.listed = true
	folder.mode, folder.time = fileMode(header), header.ModTime
	folder.uid, folder.gid = header.Uid, header.Gid
	return nil
}

// make makes a folder, and those around it that are missing, for an entry that
// the error names. Nobody else can look into it yet.
func (f *folders) make(name, entry string) error {
	outer, base := split(name)
	dir, err := f.open(outer, entry)
	if err != nil {
		return err
	}
	err = dir.Mkdir(base, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return refuse(entry, fmt.Sprintf("needs %.300q to be a folder", name))
	}
	if err != nil {
		return fmt.Errorf("make the folder %q: %w", name, err)
	}
	made := &folder{name: name, mode: unlistedMode}
	f.made = append(f.made, made)
	f.named[name] = made
	return nil
}

// open opens a folder, which it makes if the archive has not listed it, for an
// entry that the error names. What it returns belongs to f and is good until
// the next call.
func (f *folders) open(name, entry string) (*os.Root, error) {
	if name == "." {
		return f.root, nil
	}
	if f.named[name] == nil {
		if err := f.make(name, entry); err != nil {
			return nil, err
		}
	}
	if f.recent != nil {
		if f.recentName == name {
			return f.recent, nil
		}
		f.recent.Close()
		f.recent = nil
	}
	dir, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open the folder %q: %w", name, err)
	}
	f.recent, f.recentName = dir, name
	return dir, nil
}

// finish gives the folders what they could not have while they were filled,
// the inner ones first: a new mode may lock the folder's own owner out.
func (f *folders) finish(chown bool) error {
	for _, folder := range slices.Backward(f.made) {
		if err := f.settle(folder, chown); err != nil {
			return fmt.Errorf("finish the folder %q: %w", folder.name, err)
		}
	}
	return nil
}

func (f *folders) settle(folder *folder, chown bool) error {
	if !folder.listed {
		if folder.name == "." {
			return nil // the caller's own
		}
		return f.root.Chmod(folder.name, folder.mode)
	}
	if chown {
		if err := f.root.Lchown(folder.name, folder.uid, folder.gid); err != nil {
			return err
		}
	}
	if err := fileattr.SetTime(f.root, folder.name, folder.time); err != nil {
		return err
	}
	return f.root.Chmod(folder.name, folder.mode)
}
