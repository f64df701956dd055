package view

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"coffer/internal/fileattr"
	"coffer/snapshot"
)

// Kinds of what is not restored, for lack of rights or of trust.
const (
	LostOwner  = "owners"
	LostXattrs = "extended attributes"
	LostNodes  = "devices, pipes and sockets"
	LostLinks  = "hard links: each name is a file of its own"
	LostTimes  = "times"
	LostModes  = "modes"
	LostRights = "setuid and setgid bits, capabilities and devices of a machine"
)

// errOfMachine is why what gives rights is not restored.
var errOfMachine = errors.New("a thief of the machine could have set them")

// capabilities is the extended attribute that gives a program's rights to
// whoever runs it, as setuid bits do.
const capabilities = "security.capability"

func (r *restore) lost(kind, path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count.Lost++
	if kind == LostRights {
		r.count.Withheld++
	}
	if r.opts.Lost != nil {
		r.opts.Lost(kind, path, err)
	}
}

// attributes gives what was made its owner, mode, extended attributes and time,
// in this order: a change of owner takes setuid bits and capabilities away.
func (r *restore) attributes(dir *os.Root, base, path string, e *snapshot.Entry) error {
	if !e.NoMode && r.chown {
		if err := dir.Lchown(base, int(e.UID), int(e.GID)); err != nil {
			if !errors.Is(err, fs.ErrPermission) {
				return err
			}
			r.lost(LostOwner, path, err)
		}
	} else if !e.NoMode && (int(e.UID) != os.Geteuid()) && runtime.GOOS != "windows" {
		r.lost(LostOwner, path, fs.ErrPermission)
	}
	if !e.NoMode && e.Type != snapshot.Symlink {
		mode := fileattr.FileMode(e.Mode)
		if kept := mode &^ (fs.ModeSetuid | fs.ModeSetgid); kept != mode && !r.rights {
			mode = kept
			r.lost(LostRights, path, errOfMachine)
		}
		if err := dir.Chmod(base, mode); err != nil {
			r.lost(LostModes, path, err)
		}
	}
	if !r.opts.NoXattrs {
		for _, x := range e.Xattrs {
			if x.Name == capabilities && !r.rights {
				r.lost(LostRights, path, errOfMachine)
				continue
			}
			if err := fileattr.SetAttributeAt(dir, base, fileattr.Attribute{Name: x.Name, Value: x.Value}); err != nil {
				r.lost(LostXattrs+" ("+x.Name+")", path, err)
			}
		}
	}
	if !e.MTime.Known {
		return nil
	}
	set := fileattr.SetTime
	if e.Type != snapshot.Dir && e.Type != snapshot.File {
		set = fileattr.SetLinkTime
	}
	if err := set(dir, base, e.MTime.Time()); err != nil {
		r.lost(LostTimes, path, err)
	}
	return nil
}
