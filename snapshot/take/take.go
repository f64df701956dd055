// Package take makes snapshots: it reads what changed, cuts it into chunks, packs
// the chunks that the server lacks, and commits the trees that name them all.
//
// It waits for no other client and takes no lock. If it is interrupted, the next
// run goes on with what has arrived. A snapshot that it commits names only packs
// that the server has confirmed.
package take

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/cut"
	"coffer/snapshot/pack"
	"coffer/snapshot/scan"
)

// What callers branch on. They come wrapped.
var (
	// ErrConflict is what a Repository fails with to commit a snapshot that was
	// made after another one than the newest.
	ErrConflict = errors.New("another snapshot came first")
	// ErrOtherSource: the label is that of another folder, or machine.
	ErrOtherSource = errors.New("the name is taken by another source")
	// ErrLost: the server lost packs while they were counted on, again and again.
	ErrLost = errors.New("the server keeps losing what was sent")
)

// A Repository is where snapshots are kept, as making one needs it. Its methods
// can be called at once, and each can be repeated.
type Repository interface {
	// Newest is the newest snapshot of a name; nil if there is none.
	Newest(ctx context.Context, name string) (*Newest, error)
	// Begin begins a run, which pins the packs of a version; 0 is none.
	Begin(ctx context.Context, run snapshot.RunID, name string, base uint32) error
	// Missing are those of some packs that are not there. The others are pinned.
	Missing(ctx context.Context, run snapshot.RunID, packs []snapshot.PackID) ([]snapshot.PackID, error)
	// Put returns once a pack is on stable storage.
	Put(ctx context.Context, run snapshot.RunID, id snapshot.PackID, sealed []byte) error
	// Commit makes the next version, or says which packs are missing. It fails
	// with [ErrConflict].
	Commit(ctx context.Context, c Commit) (version uint32, missing []snapshot.PackID, err error)
	// End gives a run up.
	End(ctx context.Context, run snapshot.RunID) error
}

// A Newest is the newest snapshot of a name.
type Newest struct {
	Version uint32
	Digest  snapshot.ManifestDigest
	Run     snapshot.RunID
	Head    []byte
}

// A Commit is a snapshot that is complete.
type Commit struct {
	Run            snapshot.RunID
	Name           string // on the wire
	Before         uint32
	Base           uint32
	Head, Manifest []byte
	Added, Dropped []snapshot.PackID // against the base's packs
}

// Options say what a snapshot is made of. Functions may be nil; they are called
// by one goroutine at a time.
type Options struct {
	Label  string
	Host   string
	Source string // what the label means: host and path
	Adopt  bool   // lets the label go on with another source than it had
	Tags   []string
	Tool   string

	Scan     scan.Options
	Excludes []string // as a person wrote them, for the manifest

	Force       bool // reads everything
	IgnoreInode bool // a different inode number does not mean that a file changed
	IgnoreCTime bool // nor does a different change time
	DryRun      bool // sends nothing

	Workers int // 0: as many as there are processors

	Changed  func(path string)          // changed while it was read
	Visited  func(path string, how How) // is called for each file
	Progress func(Progress)

	open func(*scan.Item) (file, scan.Stat, error) // for tests; nil is scan.Item.Open
	now  func() time.Time                          // for tests; nil is time.Now
}

// How a file was found.
type How uint8

// The ways of files.
const (
	New How = iota + 1
	Modified
	Unchanged
)

// Progress is how far a run is.
type Progress struct {
	Files, Bytes uint64 // looked at
	Read, Sent   uint64 // bytes
	// What the snapshot before had, to guess what is left from; 0 is unknown.
	FilesBefore, BytesBefore uint64
	Path                     string
}

// A Result is what was made.
type Result struct {
	Label    string
	Version  uint32 // 0 of a dry run
	Before   uint32 // the version that there was
	Run      snapshot.RunID
	Manifest snapshot.ManifestDigest

	New, Changed, Unchanged uint64 // files
	Files, Dirs, Bytes      uint64 // in the snapshot
	Read                    uint64 // bytes of content that were read
	Added                   uint64 // bytes of content that were new
	Stored                  uint64 // bytes of packs that were sent
	Packs                   uint64 // sent
	Unreadable              uint64
	Unsettled               uint64 // changed while they were read
	Start, End              time.Time
	// CacheErr is why the cache could not be written; the snapshot is whole.
	CacheErr error
}

// Keys are who a snapshot is made for.
type Keys struct {
	Keys      *snapshot.Keys
	Recipient age.Recipient
	Epoch     string
}

// Folder makes a snapshot of what the sources hold.
func Folder(ctx context.Context, repo Repository, keys Keys, remembered *cache.Cache, sources *scan.Sources, opts Options) (Result, error) {
	return take(ctx, repo, keys, remembered, opts, sources.Paths, func(r *run) error { return r.sources(sources) })
}

// Stream makes a snapshot of one file that a reader gives. If the reader fails
// there is none.
func Stream(ctx context.Context, repo Repository, keys Keys, remembered *cache.Cache, name string, content io.Reader, opts Options) (Result, error) {
	return take(ctx, repo, keys, remembered, opts, nil, func(r *run) error { return r.stream(name, content) })
}

// attempts is how often a run begins anew because packs were lost that it had
// counted on.
const attempts = 3

func take(ctx context.Context, repo Repository, keys Keys, remembered *cache.Cache, opts Options, paths []string, read func(*run) error) (Result, error) {
	if opts.Workers == 0 {
		opts.Workers = min(runtime.GOMAXPROCS(0), 8)
	}
	if opts.now == nil {
		opts.now = time.Now
	}
	if opts.open == nil {
		opts.open = func(i *scan.Item) (file, scan.Stat, error) { return i.Open() }
	}
	opts = opts.oneAtATime()
	for range attempts {
		r := &run{repo: repo, keys: keys, cache: remembered, opts: opts, paths: paths, wireName: keys.Keys.WireName(opts.Label)}
		result, lost, err := r.take(ctx, read)
		if errors.Is(err, errCache) && paths != nil {
			if err := remembered.DropSnapshot(r.wireName); err != nil {
				return Result{}, err
			}
			continue
		}
		if err != nil {
			return Result{}, err
		}
		if len(lost) == 0 {
			return result, nil
		}
		if err := remembered.Forget(lost); err != nil {
			return Result{}, err
		}
		if paths == nil {
			break // a stream cannot be read again
		}
	}
	return Result{}, ErrLost
}

// A run makes one snapshot.
type run struct {
	// static after construction
	repo     Repository
	keys     Keys
	cache    *cache.Cache
	opts     Options
	paths    []string
	wireName string

	// set before anything is read
	id       snapshot.RunID
	ctx      context.Context
	newest   *Newest
	head     *snapshot.Head // of the newest
	last     cache.Snapshot // the last one that was made here
	hasLast  bool
	base     uint32
	cutter   *cut.Cutter
	zstd     *pack.Compressor
	data     *packer
	start    time.Time
	progress progress

	group    *errgroup.Group
	jobs     chan *job
	events   chan event
	pressure chan struct{}
	ended    chan struct{} // closed once the content of everything was read
	buffers  sync.Pool     // of *chunkBuffer
	chunks   chan struct{} // tokens for chunks that are worked on beside their reader

	asm  *assembler
	root snapshot.Entry // once all is read
	counts
}

func (r *run) take(ctx context.Context, read func(*run) error) (result Result, lost []snapshot.PackID, err error) {
	if err := r.begin(ctx); err != nil {
		return Result{}, nil, err
	}
	if err := r.read(ctx, read); err != nil {
		return Result{}, nil, err
	}
	result = r.result()
	if r.opts.DryRun {
		result.End = r.opts.now()
		return result, nil, nil
	}
	lost, err = r.commit(ctx, &result)
	return result, lost, err
}

// begin looks at what is there, begins the run, and drops from the cache what
// the server does not have any more.
func (r *run) begin(ctx context.Context) error {
	r.start = r.opts.now()
	var err error
	if r.newest, err = r.repo.Newest(ctx, r.wireName); err != nil {
		return fmt.Errorf("ask for the newest snapshot: %w", err)
	}
	if err := r.checkSource(); err != nil {
		return err
	}
	r.last, r.hasLast = r.cache.Snapshot(r.wireName)
	if r.hasLast && r.newest != nil && r.last.Version == r.newest.Version && r.last.Digest == r.newest.Digest {
		r.base = r.last.Version
	}
	if r.opts.DryRun {
		return nil
	}
	r.id = newRunID()
	if err := r.repo.Begin(ctx, r.id, r.wireName, r.base); err != nil {
		return fmt.Errorf("begin a run: %w", err)
	}
	for ids := range slices.Chunk(r.cache.Packs(), askAtOnce) {
		missing, err := r.repo.Missing(ctx, r.id, ids)
		if err != nil {
			return fmt.Errorf("ask which packs there are: %w", err)
		}
		if err := r.cache.Forget(missing); err != nil {
			return err
		}
	}
	return nil
}

// askAtOnce is how many packs are asked about in one request.
const askAtOnce = 2000

// checkSource refuses a label that means something else.
func (r *run) checkSource() error {
	if r.newest == nil {
		return nil
	}
	head, err := snapshot.OpenHead(r.newest.Head, r.keys.Keys, r.wireName, r.newest.Run)
	if err != nil {
		if r.opts.Adopt {
			return nil
		}
		return fmt.Errorf("open what the server says of the newest snapshot: %w", err)
	}
	r.head = head
	if head.Source != r.opts.Source && !r.opts.Adopt {
		return fmt.Errorf("%w: %q is the backup of %s, and this is %s", ErrOtherSource, r.opts.Label, head.Source, r.opts.Source)
	}
	return nil
}

// read reads everything, and sends what is new.
func (r *run) read(ctx context.Context, read func(*run) error) (err error) {
	if r.cutter, err = cut.New(r.keys.Keys.Cut()); err != nil {
		return err
	}
	if r.zstd, err = pack.NewCompressor(r.opts.Workers + 1); err != nil {
		return err
	}
	r.group, r.ctx = errgroup.WithContext(ctx)
	r.jobs, r.events = make(chan *job, jobsAhead), make(chan event, eventsAhead)
	r.ended = make(chan struct{})
	r.buffers.New = func() any { return new(chunkBuffer) }
	r.pressure, r.chunks = make(chan struct{}, 1), make(chan struct{}, r.opts.Workers)
	r.progress = progress{report: r.opts.Progress, counts: &r.counts, now: r.opts.now}
	if r.head != nil {
		r.progress.before(r.head.Files, r.head.Bytes)
	}
	puts := newPutter(r)
	r.data = newPacker(r, puts)
	r.asm = newAssembler(r, newPacker(r, puts))
	// A pack that waits to be closed must not wait for a run that has ended.
	stop := context.AfterFunc(r.ctx, func() { r.data.fail(context.Cause(r.ctx)) })
	defer stop()
	r.group.Go(func() error {
		defer close(r.events)
		defer close(r.jobs)
		return read(r)
	})
	workers, ctxWorkers := errgroup.WithContext(r.ctx)
	for range r.opts.Workers {
		workers.Go(func() error { return r.work(ctxWorkers) })
	}
	r.group.Go(func() error {
		defer close(r.ended)
		return workers.Wait()
	})
	r.group.Go(func() error {
		root, err := r.asm.assemble(r.ctx)
		if err != nil {
			return err
		}
		r.root = root
		puts.end()
		return nil
	})
	r.group.Go(func() error { return puts.work(r.ctx) })
	err = r.group.Wait()
	for j := range r.jobs { // what an error left behind
		j.f.Close()
	}
	r.progress.last()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// How much is read ahead: open files, and entries that wait for their packs.
const (
	jobsAhead   = 32
	eventsAhead = 1 << 15
)

// commit makes the snapshot of what was read the next version. What comes in
// between from elsewhere only has the manifest made again.
func (r *run) commit(ctx context.Context, result *Result) (lost []snapshot.PackID, err error) {
	packs := r.asm.packs.numbers()
	added, dropped, err := r.difference(packs)
	if err != nil {
		return nil, err
	}
	for {
		result.End = r.opts.now()
		sealed, err := r.manifest(result, packs)
		if err != nil {
			return nil, err
		}
		head, err := r.sealHead(result)
		if err != nil {
			return nil, err
		}
		c := Commit{Run: r.id, Name: r.wireName, Base: r.base, Head: head, Manifest: sealed, Added: added, Dropped: dropped}
		if r.newest != nil {
			c.Before = r.newest.Version
		}
		result.Before = c.Before
		version, missing, err := r.repo.Commit(ctx, c)
		if errors.Is(err, ErrConflict) {
			if r.newest, err = r.repo.Newest(ctx, r.wireName); err != nil {
				return nil, fmt.Errorf("ask for the newest snapshot: %w", err)
			}
			if err := r.checkSource(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil || len(missing) > 0 {
			return missing, err
		}
		result.Version, result.Manifest = version, digestOf(sealed)
		result.CacheErr = r.remember(result, packs)
		return nil, nil
	}
}

// remember has the cache follow the snapshot.
func (r *run) remember(result *Result, packs []cache.Number) error {
	err := r.cache.SetSnapshot(r.wireName, cache.Snapshot{
		Version: result.Version, Digest: result.Manifest, Packs: packs, Source: r.opts.Source, Dirs: int(result.Dirs),
	})
	if err == nil && r.hasLast && r.last.Dirs > int(result.Dirs) {
		err = r.cache.Keep(r.wireName, r.asm.visited)
	}
	return err
}

// difference is what the snapshot needs and does not need of packs, against its
// base.
func (r *run) difference(packs []cache.Number) (added, dropped []snapshot.PackID, err error) {
	var base []cache.Number
	if r.base != 0 {
		base = r.last.Packs
	}
	for _, n := range packs {
		if _, found := slices.BinarySearch(base, n); !found {
			id, ok := r.cache.PackOf(n)
			if !ok {
				return nil, nil, fmt.Errorf("%w: a pack that a tree quotes", ErrLost)
			}
			added = append(added, id)
		}
	}
	for _, n := range base {
		if _, found := slices.BinarySearch(packs, n); found {
			continue
		}
		id, ok := r.cache.PackOf(n)
		if !ok { // what the base lost cannot be named any more: nothing is taken over
			r.base = 0
			return r.difference(packs)
		}
		dropped = append(dropped, id)
	}
	return added, dropped, nil
}

// oneAtATime has the functions called by one goroutine at a time.
func (o Options) oneAtATime() Options {
	var mu sync.Mutex
	if skipped := o.Scan.Skipped; skipped != nil {
		o.Scan.Skipped = func(path, reason string) {
			mu.Lock()
			defer mu.Unlock()
			skipped(path, reason)
		}
	}
	if changed := o.Changed; changed != nil {
		o.Changed = func(path string) {
			mu.Lock()
			defer mu.Unlock()
			changed(path)
		}
	}
	return o
}
