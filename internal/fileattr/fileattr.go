// Package fileattr is what a system knows of a file, and can give it, beyond
// what package os says in the same way everywhere: inodes, owners, times to the
// nanosecond in any year, extended attributes, holes, devices.
//
// It follows no symbolic link: everything is done on an open file, or on a name
// in a folder that is held open. What a system does not have is absent there,
// and never an error.
package fileattr

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"time"
)

// ErrUnsupported: this system has no such thing.
var ErrUnsupported = errors.ErrUnsupported

// An Inode is what makes two names one file.
type Inode struct{ Device, Number uint64 }

// Settled is the time since a file's last change after which a later change
// cannot have the same time: file systems count in steps of up to 2 s.
const Settled = 2 * time.Second

// Before and after these, os.Root.Chtimes sets other times than it is given: it
// counts nanoseconds since 1970.
var (
	firstChtimes = time.Unix(0, math.MinInt64)
	lastChtimes  = time.Unix(0, math.MaxInt64)
)

// SetTime sets when something other than a symbolic link was last changed.
func SetTime(dir *os.Root, name string, t time.Time) error {
	if t.Before(firstChtimes) || t.After(lastChtimes) {
		return SetLinkTime(dir, name, t)
	}
	return dir.Chtimes(name, time.Time{}, t)
}

// Mode is a file's permission, setuid, setgid and sticky bits as POSIX counts
// them.
func Mode(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// FileMode is the mode that [Mode] made bits of.
func FileMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	if bits&0o4000 != 0 {
		mode |= fs.ModeSetuid
	}
	if bits&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	if bits&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// An Attribute is an extended attribute of a file.
type Attribute struct {
	Name  string
	Value []byte
}

// A Range is a part of a file, in bytes.
type Range struct{ Offset, Length int64 }
