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

// accounts names owners; here there are no numeric ones.
type accounts struct{}

func newAccounts() *accounts { return &accounts{} }

func (*accounts) describe(*tar.Header, fs.FileInfo) {}

// canChown says whether files may be given to other owners.
func canChown() bool { return false }

// setLinkTime leaves a link the time of its making, which is all there is here.
func setLinkTime(*os.Root, string, time.Time) error { return nil }
