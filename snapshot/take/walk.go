package take

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"coffer/internal/fileattr"
	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/scan"
)

// A dir is a folder on its way from the scan to its tree. The walker compares it
// with what is remembered; the assembler writes what changed.
type dir struct {
	// static after the walker entered it
	parent *dir
	path   string
	old    *cache.Dir // nil: nothing is remembered that counts
	entry  snapshot.Entry
	same   bool // its own attributes are as remembered
	anew   bool

	listing *cache.Listing // owned by the walker
	tree    *tree          // owned by the assembler
}

// An event is a change in a folder, in the order of names, or that it was left.
type event struct {
	dir  *dir
	job  *job   // is in it, and was not, or is not as it was
	gone string // was in it; "" if not
}

// A walker compares what is there with what is remembered.
type walker struct {
	run      *run
	cur      *dir
	accounts *fileattr.Accounts
	links    map[fileattr.Inode]*job // files with several names that are read
}

// maxLinks is how many files with several names are remembered while a folder is
// read; others are read once a name, and sent once.
const maxLinks = 1 << 16

// sources reads one file, or folders.
func (r *run) sources(sources *scan.Sources) error {
	w := &walker{run: r, accounts: fileattr.NewAccounts(), links: map[fileattr.Inode]*job{}}
	item, done, err := sources.File()
	if err != nil {
		return err
	}
	if item != nil {
		defer done()
		return w.Item(nil, item)
	}
	opts := r.opts.Scan
	opts.Skipped = w.skip
	return scan.Scan(r.ctx, sources, w, opts)
}

// stream reads what a reader gives, as a file.
func (r *run) stream(name string, content io.Reader) error {
	now := snapshot.TimeOf(r.opts.now())
	j := &job{
		path: name, f: streamFile{content}, began: r.opts.now(), done: make(chan struct{}),
		entry: snapshot.Entry{Name: name, Type: snapshot.File, Mode: 0o600, NoMode: true, MTime: now},
	}
	defer close(j.done)
	r.new.Add(1)
	r.files.Add(1)
	w := &worker{run: r, cuts: r.cutter.NewReader(nil)}
	counted := &counter{r: content}
	if err := w.content(r.ctx, j, counted, 1<<40); err != nil {
		return fmt.Errorf("read what is to be backed up: %w", err)
	}
	j.entry.Size = counted.n
	r.bytes.Add(counted.n)
	return r.send(event{job: j})
}

type counter struct {
	r io.Reader
	n uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	return n, err
}

// streamFile is a stream in a file's place.
type streamFile struct{ io.Reader }

func (streamFile) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }
func (streamFile) Close() error                   { return nil }
func (streamFile) Stat() (os.FileInfo, error)     { return nil, errors.ErrUnsupported }

// send hands a change to the assembler. If that waits for a pack to be filled,
// while too much waits for it, the pack is closed as it is.
func (r *run) send(e event) error {
	select {
	case r.events <- e:
		return nil
	default:
	}
	select {
	case r.pressure <- struct{}{}:
	default:
	}
	select {
	case r.events <- e:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// Enter looks up what is remembered of a folder.
func (w *walker) Enter(d *scan.Dir) error {
	r := w.run
	began := r.opts.now()
	r.dirs.Add(1)
	r.progress.at(d.Path)
	n := &dir{parent: w.cur, path: d.Path, entry: d.Stat.Entry(d.Name)}
	n.entry.Error = d.Incomplete
	n.anew = d.Incomplete != "" || racy(&n.entry, began)
	n.entry.User, n.entry.Group = w.accounts.Names(int(d.UID), int(d.GID))
	// What is gone before it in the outer folder is said before it, in any case.
	same := w.unchanged(&d.Stat, d.Name, d.Incomplete != "")
	if !r.opts.Force && r.hasLast {
		if old := r.cache.Dir(r.wireName, d.Path); old != nil && r.cache.There(old.Packs) {
			n.old = old
			n.listing = cache.NewListing(old.Listing)
		}
	}
	n.same = n.old != nil && same
	if !n.same {
		attributes, err := d.Attributes()
		if err != nil {
			n.entry.Error, n.anew = err.Error(), true
		}
		n.entry.Xattrs = xattrs(attributes)
	}
	w.cur = n
	return nil
}

// Leave says what is gone from a folder.
func (w *walker) Leave(*scan.Dir) error {
	n := w.cur
	w.cur = n.parent
	if n.listing != nil {
		for name, _ := n.listing.Peek(); name != nil; name, _ = n.listing.Peek() {
			if err := w.run.send(event{dir: n, gone: string(name)}); err != nil {
				return err
			}
			n.listing.Next()
		}
	}
	return w.run.send(event{dir: n})
}

// unchanged reports whether the next name is in the folder as remembered. What
// is remembered before it is gone.
func (w *walker) unchanged(stat *scan.Stat, name string, anew bool) bool {
	look := w.lookUp(name)
	return look != nil && !anew && w.run.same(look, stat)
}

// lookUp is what is remembered of a name in the current folder.
func (w *walker) lookUp(name string) *cache.Look {
	n := w.cur
	if n == nil || n.listing == nil {
		return nil
	}
	for {
		next, look := n.listing.Peek()
		switch {
		case next == nil || string(next) > name:
			return nil
		case string(next) == name:
			found := *look
			n.listing.Next()
			return &found
		}
		// What cannot be sent is no loss: the run has ended.
		_ = w.run.send(event{dir: n, gone: string(next)})
		n.listing.Next()
	}
}

// same compares a look with the one that is remembered.
func (r *run) same(was *cache.Look, is *scan.Stat) bool {
	return !was.Anew && was.Type == is.Type && was.Mode == is.Mode && was.UID == is.UID && was.GID == is.GID &&
		was.Size == is.Size && was.MTime == is.MTime && was.Link == is.Shared &&
		(was.CTime == is.CTime || r.opts.IgnoreCTime) && (was.Inode == is.Inode || r.opts.IgnoreInode)
}

// racy reports whether a file may be changed once more without looking it.
func racy(e *snapshot.Entry, began time.Time) bool {
	limit := began.Add(-fileattr.Settled)
	return e.MTime.Time().After(limit) || e.CTime.Time().After(limit)
}

// Item compares a file with what is remembered, and has it read if it changed.
func (w *walker) Item(d *scan.Dir, item *scan.Item) error {
	r := w.run
	r.progress.at(item.Path)
	was := w.lookUp(item.Name)
	if was != nil && r.same(was, &item.Stat) {
		w.found(item, Unchanged, item.Size)
		return nil
	}
	how := New
	if was != nil {
		how = Modified
		if was.Anew && r.same(&cache.Look{Type: was.Type, Mode: was.Mode, UID: was.UID, GID: was.GID, Size: was.Size,
			MTime: was.MTime, CTime: was.CTime, Inode: was.Inode, Link: was.Link}, &item.Stat) {
			how = Unchanged // as far as one sees: it is read to be sure
		}
	}
	j := &job{path: item.Path, began: r.opts.now(), done: make(chan struct{})}
	var err error
	if item.Type == snapshot.File {
		err = w.open(j, item)
	} else {
		err = w.special(j, item)
	}
	if errors.Is(err, scan.ErrReplaced) {
		return err
	}
	if err != nil && r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if err != nil {
		w.skip(item.Path, scan.Reason(err))
		if was != nil {
			return r.send(event{dir: w.cur, gone: item.Name})
		}
		return nil
	}
	j.how, j.counted = how, item.Size
	w.found(item, how, item.Size)
	return r.send(event{dir: w.cur, job: j})
}

// found counts an item.
func (w *walker) found(item *scan.Item, how How, size uint64) {
	r := w.run
	switch how {
	case New:
		r.new.Add(1)
	case Modified:
		r.modified.Add(1)
	case Unchanged:
		r.unchanged.Add(1)
	}
	r.files.Add(1)
	r.bytes.Add(size)
	if r.opts.Visited != nil {
		r.opts.Visited(item.Path, how)
	}
}

func (w *walker) skip(path, reason string) {
	w.run.leaveOut(path, reason)
	if w.run.opts.Scan.Skipped != nil {
		w.run.opts.Scan.Skipped(path, reason)
	}
}

// open begins to read a regular file.
func (w *walker) open(j *job, item *scan.Item) error {
	f, stat, err := w.run.opts.open(item)
	if err != nil {
		return err
	}
	if stat.Type != snapshot.File {
		f.Close()
		return scan.ErrReplaced
	}
	j.f = f
	j.entry = stat.Entry(path.Base(item.Name))
	j.entry.User, j.entry.Group = w.accounts.Names(int(stat.UID), int(stat.GID))
	j.sparse, j.kernel = stat.Sparse, item.Kernel()
	j.anew = racy(&j.entry, j.began)
	if stat.Shared && !j.kernel {
		id := fileattr.Inode{Device: stat.Device, Number: stat.Inode}
		if first := w.links[id]; first != nil && sameContent(&first.entry, &j.entry) {
			f.Close()
			j.f = nil
			return w.again(j, first)
		}
		if len(w.links) < maxLinks {
			w.links[id] = j
		}
	}
	select {
	case w.run.jobs <- j:
		return nil
	case <-w.run.ctx.Done():
		f.Close()
		return context.Cause(w.run.ctx)
	}
}

// sameContent reports whether nothing happened to a file between two looks at
// different names of it, and whether it is one file: what is removed leaves its
// inode to another.
func sameContent(a, b *snapshot.Entry) bool {
	return a.Link == b.Link && a.Size == b.Size && a.MTime == b.MTime && a.CTime == b.CTime
}

// again takes what another name of the file has.
func (w *walker) again(j, first *job) error {
	select {
	case <-first.done:
	case <-w.run.ctx.Done():
		return context.Cause(w.run.ctx)
	}
	if first.failed != nil {
		return first.failed
	}
	name := j.entry.Name
	j.entry, j.content, j.anew = first.entry, first.content, first.anew
	j.entry.Name = name
	close(j.done)
	return nil
}

// special looks at what is no file and no folder.
func (w *walker) special(j *job, item *scan.Item) (err error) {
	j.entry = item.Stat.Entry(path.Base(item.Name))
	j.entry.User, j.entry.Group = w.accounts.Names(int(item.UID), int(item.GID))
	j.anew = racy(&j.entry, j.began)
	if item.Type == snapshot.Symlink {
		if j.entry.Target, err = item.Target(); err != nil {
			return err
		}
	}
	attributes, err := item.Attributes()
	if err != nil {
		j.entry.Error, j.anew = err.Error(), true
	}
	j.entry.Xattrs = xattrs(attributes)
	close(j.done)
	return nil
}
