// Package scan reads folders for a snapshot: what lies in them in sorted order,
// with all that the system knows of it, less what rules leave out.
//
// Each name is looked at once. Folders are opened relative to the one they lie
// in, so that a link which somebody puts in a folder's place leads nowhere. What
// cannot be read is reported and left out; it fails nothing but itself. Package
// scan reads no content: it opens files for its callers.
package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"coffer/internal/fileattr"
	"coffer/snapshot"
)

// maxDepth is how many folders may lie inside one another.
const maxDepth = 1024

// looks is how often a name is looked at that stands for something else each
// time. Programs save a file by renaming a new one over it.
const looks = 3

// ErrReplaced: a name stands for something else than it did a moment ago. A
// visitor that returns it before it did anything is shown the name anew.
var ErrReplaced = errors.New("it was replaced while it was read")

// A Visitor is shown what lies in folders. Its errors end the scan, but for
// [ErrReplaced].
type Visitor interface {
	// Enter comes before what a folder holds, Leave after it. The outermost
	// folder is entered like all others.
	Enter(dir *Dir) error
	// Item comes for everything else.
	Item(dir *Dir, item *Item) error
	Leave(dir *Dir) error
}

// Options say what is left out. Functions may be nil.
type Options struct {
	Rules         *Rules // nil: everything is kept
	OneFileSystem bool   // leaves out what lies on other file systems
	// Skipped receives what cannot be read, and why; Excluded what a rule leaves
	// out, and which. Paths are absolute, with slashes.
	Skipped  func(path, reason string)
	Excluded func(path, rule string)
}

// A Dir is a folder that is held open until it is left.
type Dir struct {
	Stat
	Name  string   // in the folder that it lies in; "" for the outermost
	Path  string   // absolute, with slashes
	Names []string // of what lies in it, sorted; what is left out included
	// Kernel: what it holds is made by the kernel as it is read.
	Kernel bool
	// Incomplete is why not all of its names could be read, "" mostly.
	Incomplete string

	root  *os.Root
	file  *os.File // of the folder, while it is entered
	rules dirRules
}

// Attributes are the folder's extended attributes. Only Enter may ask for them.
func (d *Dir) Attributes() ([]fileattr.Attribute, error) { return fileattr.Attributes(d.file) }

// An Item is something in a folder that is no folder.
type Item struct {
	Stat
	Name string
	Path string

	dir  *Dir
	base string // in dir: where a source is a symbolic link, not its own name
	info fs.FileInfo
}

// Kernel: what it holds is made by the kernel as it is read.
func (i *Item) Kernel() bool { return i.dir != nil && i.dir.Kernel }

// Open opens a regular file, and gives its state as of then. It fails with
// [ErrReplaced] if the name stands for another file by now.
func (i *Item) Open() (*os.File, Stat, error) {
	f, err := i.dir.root.OpenFile(i.base, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return nil, Stat{}, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(i.info, opened) {
		err = ErrReplaced
	}
	if err != nil {
		f.Close()
		return nil, Stat{}, err
	}
	return f, StatOf(opened), nil
}

// Target is where a symbolic link leads.
func (i *Item) Target() (string, error) {
	target, err := i.dir.root.Readlink(i.base)
	if errors.Is(err, syscall.EINVAL) { // it is no link any more
		err = ErrReplaced
	}
	return target, err
}

// Attributes are those of what is no regular file, of a symbolic link itself.
func (i *Item) Attributes() ([]fileattr.Attribute, error) {
	return fileattr.AttributesAt(i.dir.root, i.base)
}

// Scan shows a visitor what the sources hold: one folder is the outermost
// itself, several paths lie in the deepest folder that holds them all, of which
// nothing else is shown. A source that is a file alone is not for it.
func Scan(ctx context.Context, sources *Sources, visitor Visitor, opts Options) error {
	s := &scanner{ctx: ctx, visitor: visitor, opts: opts}
	if s.opts.Rules == nil {
		s.opts.Rules = &Rules{}
	}
	if s.opts.Skipped == nil {
		s.opts.Skipped = func(string, string) {}
	}
	if s.opts.Excluded == nil {
		s.opts.Excluded = func(string, string) {}
	}
	top := sources.top
	root, err := os.OpenRoot(top.open)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer root.Close()
	d := &Dir{Path: top.path, root: root}
	if err := s.enter(d, nil, nil, top); err != nil {
		var visit *visitError
		if errors.As(err, &visit) {
			return visit.error
		}
		return fmt.Errorf("read the folder %q: %w", top.path, err)
	}
	return s.inside(d, top, 1)
}

type scanner struct {
	ctx     context.Context
	visitor Visitor
	opts    Options
}

// A visitError ends a scan.
type visitError struct{ error }

func (e *visitError) Unwrap() error { return e.error }

// errLeftOut: a folder is left out, which was reported.
var errLeftOut = errors.New("left out")

// enter reads the names in a folder that is open, and shows it. Info is what it
// was when its name was looked at, nil for the outermost.
func (s *scanner) enter(d *Dir, outer *Dir, info fs.FileInfo, from *source) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	if info != nil && !os.SameFile(info, opened) {
		return ErrReplaced
	}
	d.Stat = StatOf(opened)
	if err := s.border(d, outer, f); err != nil {
		return err
	}
	if from.holds() {
		d.Names = from.names()
	} else {
		names, err := f.Readdirnames(-1)
		if err != nil {
			if len(names) == 0 {
				return err
			}
			d.Incomplete = "some of it cannot be read: " + Reason(err)
			s.opts.Skipped(d.Path, d.Incomplete)
		}
		slices.Sort(names)
		d.Names = names
	}
	if err := d.readRules(s.opts.Rules, outer); err != nil {
		s.opts.Skipped(d.Path, err.Error())
	}
	d.file = f
	err = s.visitor.Enter(d)
	d.file = nil
	if err != nil && !errors.Is(err, ErrReplaced) {
		err = &visitError{err}
	}
	return err
}

// border decides about folders that lie on another file system than the one
// that holds them.
func (s *scanner) border(d, outer *Dir, f *os.File) error {
	if outer == nil || outer.Device != d.Device {
		name := fileattr.KernelFileSystem(f)
		d.Kernel = name != ""
		switch {
		case outer == nil:
		case d.Kernel && !outer.Kernel:
			s.opts.Excluded(d.Path, fmt.Sprintf("it is a virtual file system of the kernel (%s)", name))
			return errLeftOut
		case s.opts.OneFileSystem:
			s.opts.Excluded(d.Path, "--one-file-system")
			return errLeftOut
		}
		return nil
	}
	d.Kernel = outer.Kernel
	return nil
}

// inside shows what an entered folder holds, and leaves it.
func (s *scanner) inside(d *Dir, from *source, depth int) error {
	for _, name := range d.Names {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		path := join(d.Path, name)
		var err error
		for range looks {
			if err = s.one(d, name, path, from.child(name), depth); !errors.Is(err, ErrReplaced) {
				break
			}
		}
		var visit *visitError
		switch {
		case err == nil, errors.Is(err, errLeftOut):
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case errors.As(err, &visit):
			return visit.error
		default:
			s.opts.Skipped(path, Reason(err))
		}
	}
	return s.visitor.Leave(d)
}

// one shows what a name stands for, and all that lies in it.
func (s *scanner) one(outer *Dir, name, path string, from *source, depth int) error {
	var info fs.FileInfo
	var err error
	if from != nil && from.open != path {
		info, err = os.Stat(from.open) // a source that a symbolic link leads to
	} else {
		info, err = outer.root.Lstat(name)
	}
	if err != nil {
		return err
	}
	if from == nil || !from.given { // what was asked for by its name is kept
		if rule := s.opts.Rules.match(outer, name, path, info); rule != "" {
			s.opts.Excluded(path, rule)
			return nil
		}
	}
	if !info.IsDir() {
		return s.item(outer, name, path, info, from)
	}
	if depth == maxDepth {
		return fmt.Errorf("it lies in more than %d folders", maxDepth)
	}
	var root *os.Root
	if from != nil && from.open != path {
		root, err = os.OpenRoot(from.open)
	} else {
		root, err = outer.root.OpenRoot(name)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	d := &Dir{Name: name, Path: path, root: root}
	if err := s.enter(d, outer, info, from); err != nil {
		return err
	}
	if err := s.inside(d, from, depth+1); err != nil {
		return &visitError{err}
	}
	return nil
}

func (s *scanner) item(outer *Dir, name, path string, info fs.FileInfo, from *source) error {
	item := &Item{Stat: StatOf(info), Name: name, Path: path, dir: outer, base: name, info: info}
	if from != nil && from.open != path {
		dir, base, err := openOuter(from.open)
		if err != nil {
			return err
		}
		defer dir.Close()
		item.dir, item.base = &Dir{root: dir, Kernel: outer.Kernel}, base
	}
	if item.Type == 0 {
		return errors.New("it is neither a file nor anything else that is known here")
	}
	err := s.visitor.Item(outer, item)
	if err != nil && !errors.Is(err, ErrReplaced) {
		err = &visitError{err}
	}
	return err
}

// join is path.Join without its cleaning: names are as they are.
func join(path, name string) string {
	if strings.HasSuffix(path, "/") {
		return path + name
	}
	return path + "/" + name
}

// Reason is what an error says about a thing that was named already.
func Reason(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it vanished while the folder was read"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "it has to be waited for"
	case errors.As(err, &path):
		return path.Err.Error()
	default:
		return err.Error()
	}
}

// A Stat is what one look at a name says.
type Stat struct {
	Type         snapshot.Type // 0: nothing that a snapshot keeps
	Mode         uint32
	NoMode       bool // this system has no modes and owners
	UID, GID     uint32
	Size         uint64
	MTime, CTime snapshot.Time
	Inode        uint64
	Device       uint64
	Shared       bool // it has several names
	Sparse       bool // it may have holes
	Major, Minor uint32
}

// StatOf is what the system said of a file.
func StatOf(info fs.FileInfo) Stat {
	s := Stat{Type: typeOf(info.Mode()), Mode: fileattr.Mode(info.Mode()), MTime: snapshot.TimeOf(info.ModTime())}
	if s.Type == snapshot.File {
		s.Size = uint64(max(info.Size(), 0))
		s.Sparse = fileattr.MayBeSparse(info)
	}
	if t, ok := fileattr.ChangeTime(info); ok {
		s.CTime = snapshot.TimeOf(t)
	}
	if uid, gid, ok := fileattr.OwnerOf(info); ok {
		s.UID, s.GID = uint32(uid), uint32(gid)
	} else {
		s.NoMode = true
	}
	if id, ok := fileattr.InodeOf(info); ok {
		s.Inode, s.Device = id.Number, id.Device
	}
	_, s.Shared = fileattr.SharedInode(info)
	if s.Type == snapshot.Dir {
		s.Shared = false
	}
	s.Major, s.Minor = fileattr.DeviceNumbers(info)
	return s
}

func typeOf(mode fs.FileMode) snapshot.Type {
	switch kind := mode.Type(); {
	case kind == 0:
		return snapshot.File
	case kind&fs.ModeDir != 0:
		return snapshot.Dir
	case kind&fs.ModeSymlink != 0:
		return snapshot.Symlink
	case kind&fs.ModeNamedPipe != 0:
		return snapshot.FIFO
	case kind&fs.ModeSocket != 0:
		return snapshot.Socket
	case kind&fs.ModeCharDevice != 0:
		return snapshot.Char
	case kind&fs.ModeDevice != 0:
		return snapshot.Block
	}
	return 0
}

// Entry is what the look says, as an entry of a tree. Owners' names, content,
// targets and extended attributes are not of it.
func (s *Stat) Entry(name string) snapshot.Entry {
	e := snapshot.Entry{
		Name: name, Type: s.Type, Mode: s.Mode, NoMode: s.NoMode, UID: s.UID, GID: s.GID,
		MTime: s.MTime, CTime: s.CTime, Inode: s.Inode, Size: s.Size,
	}
	if s.Type == snapshot.Char || s.Type == snapshot.Block {
		e.Major, e.Minor = s.Major, s.Minor
	}
	if s.Shared {
		e.Link = fmt.Sprintf("%d:%d", s.Device, s.Inode)
	}
	return e
}
