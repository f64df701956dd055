package view

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/internal/fileattr"
	"coffer/snapshot"
)

// Overwrite says what happens to a file that is in the place of one that is
// restored.
type Overwrite uint8

// The ways.
const (
	Always    Overwrite = iota // it is replaced, reusing what it has in common
	IfChanged                  // so, unless size and time are the same
	IfNewer                    // so, if the one in the snapshot is newer
	Never                      // it stays
)

// RestoreOptions say how a snapshot is restored. Functions may be nil; they are
// called by one goroutine at a time. Paths are relative to what is restored.
type RestoreOptions struct {
	Overwrite Overwrite
	Delete    bool // removes what is in restored folders and not in the snapshot
	DryRun    bool
	NoXattrs  bool
	KeepGoing bool // passes over what is damaged

	// Wanted leaves out; what a folder holds that is not wanted is asked about as
	// well.
	Wanted func(path string, e *snapshot.Entry) bool

	Failed   func(path string, err error)       // left out, or incomplete; with KeepGoing
	Lost     func(kind, path string, err error) // what could not be restored of a file, for want of rights
	Done     func(path string, e *snapshot.Entry, how Did)
	Progress func(done, total uint64) // bytes
}

// Did is what restoring did with an entry.
type Did uint8

// What it did.
const (
	Made Did = iota + 1
	Replaced
	Kept // as it was: it is the same, or may not be replaced
	Deleted
)

// Restored counts what was restored.
type Restored struct {
	Files, Bytes  uint64 // made or replaced
	Kept, Deleted uint64
	Fetched       uint64 // bytes of content that the server sent
	Failed        uint64
	Lost          uint64 // entries of which something could not be restored
}

// Kinds of what may not be restored for want of rights.
const (
	LostOwner  = "owners"
	LostXattrs = "extended attributes"
	LostNodes  = "devices, pipes and sockets"
	LostLinks  = "hard links: each name is a file of its own"
	LostTimes  = "times"
	LostModes  = "modes"
)

// Restore brings an entry of a snapshot back: what a folder holds into the folder
// root, anything else into root under its name. Content is fetched a pack at a
// time, and each file takes its place once all of it was checked. Nothing is
// written through a symbolic link, and nothing outside of root.
func (s *Snapshot) Restore(ctx context.Context, e *snapshot.Entry, root *os.Root, opts RestoreOptions) (Restored, error) {
	r := &restore{s: s, opts: opts, chown: fileattr.CanChown(), links: map[string]string{}}
	return r.run(ctx, e, root)
}

type restore struct {
	s     *Snapshot
	opts  RestoreOptions
	chown bool
	root  *os.Root
	dirs  *folders

	links  map[string]string // where the first name of a file with several is
	files  []*target
	chunks []chunkAt
	later  []later // hard links and folders, whose turn comes last

	mu    sync.Mutex // guards what follows, and calls of the options' functions
	count Restored
	total uint64
	done  uint64
}

// A target is a file that is being restored.
type target struct {
	path     string // in root
	tmp      string // where it is until it is complete
	entry    *snapshot.Entry
	extents  []extent
	existing bool

	mu     sync.Mutex
	left   int  // guarded by mu; chunks
	begun  bool // guarded by mu; there is a file at tmp
	failed bool // guarded by mu
}

// A chunkAt is a chunk that a file has.
type chunkAt struct {
	place snapshot.Place
	file  int32
	begin uint64 // in the file's content
}

// later is what is done once all files are there.
type later struct {
	path  string
	entry *snapshot.Entry
	link  string // of a hard link: its first name
}

func (r *restore) run(ctx context.Context, e *snapshot.Entry, root *os.Root) (Restored, error) {
	r.root, r.dirs = root, newFolders(root)
	defer r.dirs.close()
	var err error
	if e.Type == snapshot.Dir {
		err = r.dir(ctx, "", ".", e)
	} else {
		if e.Name == "" || !filepath.IsLocal(e.Name) {
			return r.count, fmt.Errorf("%w: %q is no name for a file here", ErrNotFound, e.Name)
		}
		err = r.plan(ctx, e.Name, e)
	}
	if err == nil && !r.opts.DryRun {
		err = r.fetch(ctx, nil)
	}
	if err == nil && !r.opts.DryRun {
		err = r.finish()
	}
	for _, t := range r.files {
		r.removeUnfinished(t)
	}
	return r.count, err
}

// fail reports what cannot be restored; its error ends everything.
func (r *restore) fail(path string, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count.Failed++
	if !r.opts.KeepGoing {
		return fmt.Errorf("%q: %w", path, err)
	}
	if r.opts.Failed != nil {
		r.opts.Failed(path, err)
	}
	return nil
}

func (r *restore) lost(kind, path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count.Lost++
	if r.opts.Lost != nil {
		r.opts.Lost(kind, path, err)
	}
}

func (r *restore) did(path string, e *snapshot.Entry, how Did) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch how {
	case Made, Replaced:
		r.count.Files++
		r.count.Bytes += e.Size
	case Kept:
		r.count.Kept++
	case Deleted:
		r.count.Deleted++
	}
	if r.opts.Done != nil {
		r.opts.Done(path, e, how)
	}
}

// dir restores a folder: path is its path in what is restored, at in root.
func (r *restore) dir(ctx context.Context, path, at string, e *snapshot.Entry) error {
	made := r.opts.Wanted == nil || path == "" || r.opts.Wanted(path, e)
	if made {
		if err := r.makeDir(path, at, e); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	err := r.s.Dir(ctx, e, func(err error) error { return r.fail(cmp.Or(path, "."), err) }, func(inner *snapshot.Entry) error {
		if r.opts.Delete {
			names[inner.Name] = true
		}
		if !filepath.IsLocal(inner.Name) {
			return r.fail(Join(path, inner.Name), errors.New("its name is none for a file here"))
		}
		if inner.Type == snapshot.Dir {
			return r.dir(ctx, Join(path, inner.Name), Join(path, inner.Name), inner)
		}
		return r.plan(ctx, Join(path, inner.Name), inner)
	})
	if err != nil || !r.opts.Delete || !made {
		return err
	}
	return r.remove(path, at, names)
}

// remove removes what is in a folder and not in the snapshot.
func (r *restore) remove(path, at string, names map[string]bool) error {
	dir, err := r.root.Open(at)
	if errors.Is(err, fs.ErrNotExist) && r.opts.DryRun {
		return nil
	}
	if err != nil {
		return r.fail(cmp.Or(path, "."), err)
	}
	there, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return r.fail(cmp.Or(path, "."), err)
	}
	slices.Sort(there)
	for _, name := range there {
		if names[name] {
			continue
		}
		if !r.opts.DryRun {
			r.dirs.forget(Join(path, name))
			if err := r.root.RemoveAll(Join(path, name)); err != nil {
				if err := r.fail(Join(path, name), err); err != nil {
					return err
				}
				continue
			}
		}
		r.did(Join(path, name), nil, Deleted)
	}
	return nil
}

// makeDir makes a folder, to which nobody else has access until it is finished.
func (r *restore) makeDir(path, at string, e *snapshot.Entry) error {
	info, err := r.root.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if r.opts.DryRun {
			return nil
		}
		if err := r.parents(at); err != nil {
			return r.fail(path, err)
		}
		err = r.root.Mkdir(at, 0o700)
	case err == nil && info.IsDir():
		if !r.opts.DryRun && info.Mode().Perm()&0o700 != 0o700 {
			err = r.root.Chmod(at, info.Mode().Perm()|0o700)
		}
	case err == nil && r.opts.Overwrite != Never:
		if r.opts.DryRun {
			return nil
		}
		if err = r.root.Remove(at); err == nil {
			err = r.root.Mkdir(at, 0o700)
		}
	case err == nil:
		err = errors.New("it is in the place of a folder, and may not be replaced")
	}
	if err != nil {
		return r.fail(cmp.Or(path, "."), err)
	}
	r.later = append(r.later, later{path: at, entry: e})
	return nil
}

// parents makes the folders that something lies in which itself was asked for.
func (r *restore) parents(at string) error {
	outer := parent(at)
	if outer == "." || r.dirs.has(outer) {
		return nil
	}
	if info, err := r.root.Lstat(outer); err == nil && info.IsDir() {
		return nil
	}
	if err := r.parents(outer); err != nil {
		return err
	}
	if err := r.root.Mkdir(outer, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// lastName is the name of a path in its folder.
func lastName(at string) string { return at[strings.LastIndexByte(at, '/')+1:] }

func parent(at string) string {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i] == '/' {
			return at[:i]
		}
	}
	return "."
}

// plan decides about anything but a folder. What needs no content is made.
func (r *restore) plan(ctx context.Context, path string, e *snapshot.Entry) error {
	if r.opts.Wanted != nil && !r.opts.Wanted(path, e) {
		return nil
	}
	info, err := r.lstat(path)
	existing := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return r.fail(path, err)
	}
	if existing && r.stays(path, info, e) {
		r.did(path, e, Kept)
		return nil
	}
	if existing && info.IsDir() && !r.opts.DryRun {
		if err := r.makeRoom(path); err != nil {
			return r.fail(path, err)
		}
	}
	if r.opts.DryRun {
		how := Made
		if existing {
			how = Replaced
		}
		r.did(path, e, how)
		return nil
	}
	if err := r.parents(path); err != nil {
		return r.fail(path, err)
	}
	if e.Link != "" {
		if first, ok := r.links[e.Link]; ok {
			r.later = append(r.later, later{path, e, first})
			return nil
		}
		r.links[e.Link] = path
	}
	t := &target{path: path, tmp: temporary(path), entry: e, existing: existing}
	if e.Type != snapshot.File {
		if err := r.special(t); err != nil {
			return r.fail(path, err)
		}
		return nil
	}
	return r.planFile(ctx, t)
}

// lstat looks at what is in the place of an entry.
func (r *restore) lstat(path string) (fs.FileInfo, error) {
	dir, base, done, err := r.dirs.outer(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return dir.Lstat(base)
}

// makeRoom removes a folder where none is to be, if that is allowed.
func (r *restore) makeRoom(path string) error {
	r.dirs.forget(path)
	if r.opts.Delete {
		return r.root.RemoveAll(path)
	}
	if err := r.root.Remove(path); err != nil {
		return errors.New("a folder is in its place, with something in it")
	}
	return nil
}

// stays reports whether what is there is kept.
func (r *restore) stays(path string, info fs.FileInfo, e *snapshot.Entry) bool {
	switch r.opts.Overwrite {
	case Never:
		return true
	case IfChanged:
		return r.same(path, info, e)
	case IfNewer:
		return !e.MTime.Time().After(info.ModTime())
	}
	return false
}

// same reports whether what is there looks as it did.
func (r *restore) same(path string, info fs.FileInfo, e *snapshot.Entry) bool {
	switch {
	case !info.ModTime().Equal(e.MTime.Time()):
		return false
	case e.Type == snapshot.File:
		return info.Mode().IsRegular() && uint64(info.Size()) == e.Size
	case e.Type == snapshot.Symlink && info.Mode()&fs.ModeSymlink != 0:
		target, err := r.root.Readlink(path)
		return err == nil && target == e.Target
	}
	return false
}

// temporary is where something is until it is complete.
func temporary(path string) string { return Join(parentOrEmpty(path), ".coffer-"+rand.Text()[:12]) }

func parentOrEmpty(path string) string {
	if p := parent(path); p != "." {
		return p
	}
	return ""
}

// What is planned before it is fetched: more would take memory, less would visit
// packs more often.
const (
	maxPlanned = 20_000  // files
	maxChunks  = 200_000 // some 25 MiB
)

func (r *restore) planFile(ctx context.Context, t *target) error {
	t.extents = extents(t.entry)
	t.left = 1 // until all chunks are planned
	r.files = append(r.files, t)
	r.total += t.entry.Size
	err := r.s.places(ctx, t.entry, func(p snapshot.Place, at uint64) error {
		if len(r.chunks) >= maxChunks {
			if err := r.fetch(ctx, t); err != nil {
				return &fetchError{err}
			}
		}
		t.left++
		r.chunks = append(r.chunks, chunkAt{p, int32(len(r.files) - 1), at})
		return nil
	})
	var fetched *fetchError
	switch {
	case errors.As(err, &fetched):
		return fetched.error
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		t.failed = true
		return r.fail(t.path, err)
	}
	if t.left--; t.left == 0 && !t.failed {
		if err := r.last(t); err != nil {
			return r.fail(t.path, err)
		}
	}
	if len(r.files) >= maxPlanned {
		return r.fetch(ctx, nil)
	}
	return nil
}

// A fetchError is one of fetching, while something is planned.
type fetchError struct{ error }

// last completes a file that is waiting for no chunk.
func (r *restore) last(t *target) error {
	dir, base, done, err := r.dirs.outer(t.tmp)
	if err != nil {
		return err
	}
	defer done()
	if len(t.entry.Content) == 0 {
		f, err := create(dir, base, t.entry)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return r.complete(t, dir, base)
}

// special makes what has no content.
func (r *restore) special(t *target) error {
	dir, base, done, err := r.dirs.outer(t.tmp)
	if err != nil {
		return err
	}
	defer done()
	e := t.entry
	switch e.Type {
	case snapshot.Symlink:
		err = dir.Symlink(e.Target, base)
	case snapshot.FIFO:
		err = fileattr.MakeNode(dir, base, fs.ModeNamedPipe, 0, 0)
	case snapshot.Socket:
		err = fileattr.MakeNode(dir, base, fs.ModeSocket, 0, 0)
	case snapshot.Char:
		err = fileattr.MakeNode(dir, base, fs.ModeDevice|fs.ModeCharDevice, e.Major, e.Minor)
	case snapshot.Block:
		err = fileattr.MakeNode(dir, base, fs.ModeDevice, e.Major, e.Minor)
	}
	if err != nil && e.Type != snapshot.Symlink && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fileattr.ErrUnsupported)) {
		r.lost(LostNodes, t.path, err)
		return nil
	}
	if err != nil {
		return err
	}
	return r.complete(t, dir, base)
}

// create makes a file that nothing is in yet, with its size.
func create(dir *os.Root, base string, e *snapshot.Entry) (*os.File, error) {
	if e.Size > math.MaxInt64 {
		return nil, errors.New("it is too large for a file here")
	}
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(e.Size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// fetch reads all chunks that were planned and are not there already, and writes
// them, a pack at a time. Then nothing is planned but a file that is still being.
func (r *restore) fetch(ctx context.Context, planning *target) error {
	slices.SortStableFunc(r.chunks, func(a, b chunkAt) int {
		return cmp.Or(slices.Compare(a.place.Pack[:], b.place.Pack[:]), cmp.Compare(a.place.Offset, b.place.Offset))
	})
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, min(runtime.GOMAXPROCS(0), 4)))
	for begin := 0; begin < len(r.chunks) && ctx.Err() == nil; {
		end := begin + 1
		for end < len(r.chunks) && r.chunks[end].place.Pack == r.chunks[begin].place.Pack {
			end++
		}
		chunks := r.chunks[begin:end]
		begin = end
		group.Go(func() error { return r.pack(ctx, chunks) })
	}
	err := group.Wait()
	for _, t := range r.files {
		if t != planning || err != nil {
			r.removeUnfinished(t)
		}
	}
	r.files, r.chunks = r.files[:0], r.chunks[:0]
	if planning != nil {
		r.files = append(r.files, planning)
	}
	return err
}

// pack writes what is in one pack.
func (r *restore) pack(ctx context.Context, chunks []chunkAt) error {
	var wanted []chunkAt
	var places []snapshot.Place
	for _, c := range chunks {
		t := r.files[c.file]
		if t.existing {
			if chunk := r.reuse(t, c); chunk != nil {
				if err := r.write(t, c, chunk); err != nil {
					return err
				}
				continue
			}
		}
		wanted, places = append(wanted, c), append(places, c.place)
	}
	return r.s.reader.Chunks(ctx, snapshot.Data, places, func(i int, chunk []byte, err error) error {
		c := wanted[i]
		if err != nil && ctx.Err() == nil {
			chunk, _, err = r.s.chunk(ctx, snapshot.Data, c.place)
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !errors.Is(err, ErrDamaged) {
				return err // the server cannot be reached
			}
			return r.broken(r.files[c.file], err)
		}
		r.mu.Lock()
		r.count.Fetched += uint64(c.place.Length)
		r.mu.Unlock()
		return r.write(r.files[c.file], c, chunk)
	})
}

// reuse is a chunk that the file which is to be replaced has at its place.
func (r *restore) reuse(t *target, c chunkAt) []byte {
	x := extentAt(t.extents, c.begin)
	if x == nil || c.begin+uint64(c.place.Size) > x.from+x.length {
		return nil
	}
	dir, base, done, err := r.dirs.outer(t.path)
	if err != nil {
		return nil
	}
	defer done()
	f, err := dir.OpenFile(base, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	chunk := make([]byte, c.place.Size)
	if _, err := f.ReadAt(chunk, int64(x.at+c.begin-x.from)); err != nil {
		return nil
	}
	if r.s.own.ChunkID(snapshot.Data, chunk) != c.place.ID {
		return nil
	}
	return chunk
}

func extentAt(list []extent, begin uint64) *extent {
	i, found := slices.BinarySearchFunc(list, begin, func(x extent, begin uint64) int { return cmp.Compare(x.from, begin) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return &list[i]
}

// broken gives a file up.
func (r *restore) broken(t *target, err error) error {
	t.mu.Lock()
	first := !t.failed
	t.failed = true
	t.mu.Unlock()
	if !first {
		return nil
	}
	return r.fail(t.path, err)
}

// write writes a chunk to where it lies in a file, and completes the file with
// the last one.
func (r *restore) write(t *target, c chunkAt, chunk []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed {
		return nil
	}
	if err := r.writeLocked(t, c.begin, chunk); err != nil {
		t.failed = true
		if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("%q: %w", t.path, err)
		}
		return r.fail(t.path, err)
	}
	r.mu.Lock()
	r.done += uint64(len(chunk))
	if r.opts.Progress != nil {
		r.opts.Progress(r.done, r.total)
	}
	r.mu.Unlock()
	return nil
}

func (r *restore) writeLocked(t *target, begin uint64, chunk []byte) error {
	dir, base, done, err := r.dirs.outer(t.tmp)
	if err != nil {
		return err
	}
	defer done()
	var f *os.File
	if t.begun {
		f, err = dir.OpenFile(base, os.O_WRONLY, 0)
	} else {
		f, err = create(dir, base, t.entry)
	}
	if err != nil {
		return err
	}
	t.begun = true
	for len(chunk) > 0 {
		x := extentAt(t.extents, begin)
		if x == nil || begin >= x.from+x.length {
			f.Close()
			return fmt.Errorf("%w: more content than its size says", ErrDamaged)
		}
		n := min(uint64(len(chunk)), x.from+x.length-begin)
		if _, err := f.WriteAt(chunk[:n], int64(x.at+begin-x.from)); err != nil {
			f.Close()
			return err
		}
		chunk, begin = chunk[n:], begin+n
	}
	if err := f.Close(); err != nil {
		return err
	}
	if t.left--; t.left > 0 {
		return nil
	}
	return r.complete(t, dir, base)
}

// complete gives a file what it has beside content, and moves it to its place.
// It is in dir, as base.
func (r *restore) complete(t *target, dir *os.Root, base string) error {
	if err := r.attributes(dir, base, t.path, t.entry); err != nil {
		return err
	}
	if err := dir.Rename(base, lastName(t.path)); err != nil {
		return err
	}
	how := Made
	if t.existing {
		how = Replaced
	}
	r.did(t.path, t.entry, how)
	return nil
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
		if err := dir.Chmod(base, fileattr.FileMode(e.Mode)); err != nil {
			r.lost(LostModes, path, err)
		}
	}
	if !r.opts.NoXattrs {
		for _, x := range e.Xattrs {
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
			return fmt.Errorf("it is the same file as %q, which could not be restored", l.link)
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

// removeUnfinished removes a file that never became complete.
func (r *restore) removeUnfinished(t *target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed || t.left > 0 {
		_ = r.root.Remove(t.tmp) // it may never have been made
	}
}

// Within is a Wanted function: it takes what fits the time.
func Within(newer, older time.Time) func(*snapshot.Entry) bool {
	return func(e *snapshot.Entry) bool {
		t := e.MTime.Time()
		return (newer.IsZero() || t.After(newer)) && (older.IsZero() || t.Before(older))
	}
}
