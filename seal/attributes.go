package seal

import (
	"io/fs"
	"os"
	"strings"

	"coffer/internal/fileattr"
)

// Kinds of what no archive keeps, in a person's words.
const (
	lostLists        = "access control lists"
	lostCapabilities = "file capabilities"
	lostLabels       = "security labels"
	lostAttributes   = "extended attributes"
	lostHoles        = "the holes of sparse files: they are stored as zeros, and a restore makes holes of zeros"
)

// lostKind is what an extended attribute of a name stands for.
func lostKind(attribute string) string {
	switch {
	case strings.HasPrefix(attribute, "system.posix_acl_"), strings.HasPrefix(attribute, "system.nfs4_acl"),
		strings.HasPrefix(attribute, "system.richacl"):
		return lostLists
	case attribute == "security.capability":
		return lostCapabilities
	case strings.HasPrefix(attribute, "security."):
		return lostLabels
	default:
		return lostAttributes
	}
}

// attributes reports a file's extended attributes.
func (a *archiver) attributes(f *os.File, path string) {
	for _, name := range fileattr.AttributeNames(f) {
		a.lose(lostKind(name), path)
	}
}

// sparse reports a file with holes.
func (a *archiver) sparse(f *os.File, path string, info fs.FileInfo) {
	if !fileattr.MayBeSparse(info) || a.notKept[lostHoles] {
		return
	}
	if _, ok := fileattr.FirstHole(f, info.Size()); ok {
		a.lose(lostHoles, path)
	}
}
