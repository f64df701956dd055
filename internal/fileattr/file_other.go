//go:build !unix

package fileattr

import (
	"io/fs"
	"os"
	"time"
)

// OpenNonblock keeps an open from waiting; no regular name is a pipe here.
const OpenNonblock = 0

// InodeOf gives a file's inode; here names are not compared.
func InodeOf(fs.FileInfo) (Inode, bool) { return Inode{}, false }

// SharedInode reports no file to have more than one name.
func SharedInode(fs.FileInfo) (Inode, bool) { return Inode{}, false }

// DeviceOf is what a file lies on; here nobody asks.
func DeviceOf(fs.FileInfo) uint64 { return 0 }

// DeviceNumbers are those of a device; here there are none.
func DeviceNumbers(fs.FileInfo) (major, minor uint32) { return 0, 0 }

// ChangeTime is when a file or its attributes were changed, if that is known.
func ChangeTime(fs.FileInfo) (time.Time, bool) { return time.Time{}, false }

// IsGone reports a file without any name.
func IsGone(fs.FileInfo) bool { return false }

// MayBeSparse reports a file that takes less room than its size.
func MayBeSparse(fs.FileInfo) bool { return false }

// FirstHole is where a file's first hole is, which is not known here.
func FirstHole(*os.File, int64) (int64, bool) { return 0, false }

// Holes are the holes of a file, which are not known here.
func Holes(*os.File, int64) []Range { return nil }

// Accounts names owners; here there are no numeric ones.
type Accounts struct{}

// NewAccounts makes one that has asked for nobody.
func NewAccounts() *Accounts { return &Accounts{} }

// Names are those of an owner.
func (*Accounts) Names(uid, gid int) (user, group string) { return "", "" }

// OwnerOf gives a file's owner; here that is not known as a number.
func OwnerOf(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }

// CanChown says whether files may be given to other owners.
func CanChown() bool { return false }

// SetLinkTime leaves a link the time of its making, which is all there is here.
func SetLinkTime(*os.Root, string, time.Time) error { return nil }

// MakeNode makes a pipe, a socket or a device, which are none here.
func MakeNode(*os.Root, string, fs.FileMode, uint32, uint32) error { return ErrUnsupported }
