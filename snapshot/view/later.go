package view

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"coffer/snapshot"
)

// later is what is done once all files are there.
type later struct {
	path  string
	entry *snapshot.Entry
	link  string // of a hard link: its first name
}

// A fileID tells files that have several names from one another.
type fileID [sha256.Size]byte

// identify is the same for all names of a file. Device and inode alone are not:
// a file that was removed while the folder was read leaves them to another, and
// so the names must agree in everything else as well.
func identify(e *snapshot.Entry) fileID {
	all := fmt.Appendf(nil, "%q %d %o %d %d %v %d %q %d %d %q %v %d %v", e.Link, e.Type, e.Mode, e.UID, e.GID, e.MTime, e.Size, e.Target,
		e.Major, e.Minor, e.Xattrs, e.Holes, e.Depth, e.Changed)
	if e.Depth > 0 { // what is equal in lists of places may be written in two ways
		all = fmt.Append(all, e.CTime)
		return sha256.Sum256(all)
	}
	for _, p := range e.Content {
		all = append(all, p.ID[:]...)
	}
	return sha256.Sum256(all)
}

// finish makes hard links, and gives folders what they could not have while they
// were filled, the inner ones first.
func (r *restore) finish() error {
	for _, l := range r.later {
		if l.link == "" {
			continue
		}
		if err := r.hardLink(l); err != nil {
			if err := r.fail(l.path, err); err != nil {
				return err
			}
		}
	}
	for _, l := range slices.Backward(r.later) {
		if l.link != "" {
			continue
		}
		dir, base, done, err := r.dirs.outer(l.path)
		if err == nil {
			err = r.attributes(dir, base, l.path, l.entry)
			done()
		}
		if err != nil {
			if err := r.fail(l.path, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *restore) hardLink(l later) error {
	tmp := temporary(l.path)
	if err := r.root.Link(l.link, tmp); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("it is a hard link to %q, which could not be restored", l.link)
		}
		return err
	}
	_, err := r.root.Lstat(l.path)
	how := Made
	if err == nil {
		how = Replaced
	}
	// A rename of one name of a file to another does nothing.
	if how == Replaced {
		if err := r.root.Remove(l.path); err != nil {
			return errors.Join(err, r.root.Remove(tmp))
		}
	}
	if err := r.root.Rename(tmp, l.path); err != nil {
		return errors.Join(err, r.root.Remove(tmp))
	}
	r.did(l.path, l.entry, how)
	return nil
}
