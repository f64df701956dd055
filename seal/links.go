package seal

import (
	"io/fs"
	"os"
	"time"

	"coffer/internal/fileattr"
)

// A file with several names is stored once, and its other names as hard links
// to the first. An inode's number alone does not make two names one file: it is
// given to the next file as soon as the one that had it is gone, even while a
// folder is read. So the file must also be as it was, down to the time of its
// last change, which nobody can set.

// maxPinned is how many files are kept open so that nobody gets their inodes.
const maxPinned = 256

// A state shows whether a file changed between two looks.
type state struct {
	size             int64
	written, changed int64 // nanoseconds; changed is 0 where it is not known
}

func stateOf(info fs.FileInfo) state {
	s := state{size: info.Size(), written: info.ModTime().UnixNano()}
	if t, ok := fileattr.ChangeTime(info); ok {
		s.changed = t.UnixNano()
	}
	return s
}

// links remembers the files with several names that were written. Its zero
// value remembers none.
type links struct {
	first  map[fileattr.Inode]linked
	pinned []pinned
}

// A linked file has a name in the archive.
type linked struct {
	path   string
	state  state
	target string // of a symbolic link
}

// A pinned file stays open until its time of change can be no other file's.
type pinned struct {
	file  *os.File
	until time.Time
}

// find returns the name under which a file was written. target is the target of
// a symbolic link, "" for a regular file.
func (l *links) find(info fs.FileInfo, target string) (path string, ok bool) {
	id, shared := fileattr.SharedInode(info)
	if !shared {
		return "", false
	}
	first, ok := l.first[id]
	return first.path, ok && first.state == stateOf(info) && first.target == target
}

// addLink remembers a symbolic link. Whatever has its inode next is the same
// link if it has the same target.
func (l *links) addLink(info fs.FileInfo, path, target string) {
	if id, shared := fileattr.SharedInode(info); shared {
		l.remember(id, linked{path, stateOf(info), target})
	}
}

// addFile remembers a regular file, of which info is the newest, and closes
// f, now or later. A file that was changed a moment ago, while many like it are
// open, is not remembered: its other names are stored in full.
func (l *links) addFile(f *os.File, info fs.FileInfo, path string) {
	id, shared := fileattr.SharedInode(info)
	if !shared {
		f.Close()
		return
	}
	if changed, ok := fileattr.ChangeTime(info); !ok || time.Since(changed) < fileattr.Settled {
		l.unpin(time.Now())
		if len(l.pinned) == maxPinned {
			f.Close()
			return
		}
		l.pinned = append(l.pinned, pinned{f, time.Now().Add(2 * fileattr.Settled)})
	} else {
		f.Close()
	}
	l.remember(id, linked{path: path, state: stateOf(info)})
}

func (l *links) remember(id fileattr.Inode, file linked) {
	if l.first == nil {
		l.first = map[fileattr.Inode]linked{}
	}
	l.first[id] = file
}

// unpin closes what need not be open any more.
func (l *links) unpin(now time.Time) {
	kept := l.pinned[:0]
	for _, p := range l.pinned {
		if now.Before(p.until) {
			kept = append(kept, p)
		} else {
			p.file.Close()
		}
	}
	l.pinned = kept
}

func (l *links) close() {
	for _, p := range l.pinned {
		p.file.Close()
	}
	l.pinned = nil
}
