//go:build !unix

package seal

import (
	"archive/tar"
	"io/fs"
	"os"
	"time"
)

// openNonblock keeps an open from waiting; no regular name is a pipe here.
const openNonblock = 0

// An inode is what makes two names one file; here names are not compared.
type inode struct{}

// sharedInode reports no file to have more than one name: each is archived.
func sharedInode(fs.FileInfo) (inode, bool) { return inode{}, false }

// deviceOf is what a file lies on; here nobody asks.
func deviceOf(fs.FileInfo) uint64 { return 0 }

// changeTime is when a file or its attributes were changed, if that is known.
func changeTime(fs.FileInfo) (time.Time, bool) { return time.Time{}, false }

// isGone reports a file without any name.
func isGone(fs.FileInfo) bool { return false }

// sparse tells of a file with holes, which is not known here.
func (a *archiver) sparse(*os.File, string, fs.FileInfo) {}

// accounts names owners; here there are no numeric ones.
type accounts struct{}

func newAccounts() *accounts { return &accounts{} }

func (*accounts) describe(*tar.Header, fs.FileInfo) {}

// ownerOf is whom a file belongs to; here that is not known as a number.
func ownerOf(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }

// canChown says whether files may be given to other owners.
func canChown() bool { return false }

// setLinkTime leaves a link the time of its making, which is all there is here.
func setLinkTime(*os.Root, string, time.Time) error { return nil }
