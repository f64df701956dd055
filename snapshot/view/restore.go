package view

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

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

	// Trust restores of a machine's snapshot, too, what gives whoever runs or
	// opens a file the rights of another: setuid and setgid bits, file
	// capabilities and devices. Whoever took over the machine made them up.
	Trust bool

	// Wanted leaves out; what a folder holds that is not wanted is asked about as
	// well.
	Wanted func(path string, e *snapshot.Entry) bool

	Failed   func(path string, err error)       // left out, or incomplete; with KeepGoing
	Lost     func(kind, path string, err error) // what could not be restored of a file, for lack of rights
	Done     func(path string, e *snapshot.Entry, how Did)
	Progress func(done, total uint64) // bytes
}

// Did says what restoring did with an entry.
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
	Lost          uint64 // attributes and entries that could not be restored
	Withheld      uint64 // those of them that Trust restores
}

// Restore brings an entry of a snapshot back: what a folder holds into the folder
// root, anything else into root under its name. Content is fetched a pack at a
// time, and each file takes its place once all of it was checked. Nothing is
// written through a symbolic link, and nothing outside of root.
func (s *Snapshot) Restore(ctx context.Context, e *snapshot.Entry, root *os.Root, opts RestoreOptions) (Restored, error) {
	r := &restore{s: s, opts: opts, chown: fileattr.CanChown(), rights: s.From == "" || opts.Trust, links: map[fileID]string{}}
	return r.run(ctx, e, root)
}

type restore struct {
	s      *Snapshot
	opts   RestoreOptions
	chown  bool
	rights bool // what gives rights is restored
	root   *os.Root
	dirs   *folders

	links  map[fileID]string // where the first name of a file with several is
	files  []*target
	chunks []chunkAt
	later  []later // hard links and folders, whose turn comes last

	mu    sync.Mutex // guards what follows, and calls of the options' functions
	count Restored
	total uint64
	done  uint64
}

func (r *restore) run(ctx context.Context, e *snapshot.Entry, root *os.Root) (Restored, error) {
	r.root, r.dirs = root, newFolders(root)
	defer r.dirs.close()
	var err error
	if e.Type == snapshot.Dir {
		err = r.dir(ctx, "", ".", e)
	} else {
		if e.Name == "" || !filepath.IsLocal(e.Name) {
			return r.count, fmt.Errorf("%w: %q is not a valid file name on this system", ErrNotFound, e.Name)
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

// Within is a Wanted function: it takes what fits the time.
func Within(newer, older time.Time) func(*snapshot.Entry) bool {
	return func(e *snapshot.Entry) bool {
		t := e.MTime.Time()
		return (newer.IsZero() || t.After(newer)) && (older.IsZero() || t.Before(older))
	}
}
