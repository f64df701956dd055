package upload

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/protocol/crypt"
	"coffer/store"
)

// Deps is what uploads need of others.
type Deps struct {
	Blobs   Blobs
	Catalog Catalog
	Keys    Keys
	Limits  func() Limits // they may change
	// MayBegin fails if a client may begin no further upload.
	MayBegin func(ctx context.Context, client store.ClientID) error
	// Admit reserves space for bytes of a client before they are written;
	// written releases what was not needed. It fails if nothing of the client,
	// or of any client, may be stored.
	Admit  func(client store.ClientID, bytes int) (written func(), err error)
	NameOf func(ctx context.Context, client store.ClientID) string
	Events Events
	// Other takes up a blob that an earlier run left, and that is no upload's.
	Other func(ctx context.Context, b store.StoredBlob) error
	Log   *slog.Logger
}

// Blobs are where the content gathers, and where files are stored.
type Blobs interface {
	store.Contents
	store.Parts
}

// A Catalog is where versions of files are committed.
type Catalog interface {
	Commit(ctx context.Context, v store.Version, keep store.Retention) (number uint32, dropped []store.BlobRef, err error)
	Versions(ctx context.Context, client store.ClientID, name string) ([]store.Version, error)
}

// Keys keep session keys secret on disk, each bound to what it belongs to.
type Keys interface {
	WrapKey(key crypt.SessionKey, owner []byte) []byte
	UnwrapKey(wrapped, owner []byte) (crypt.SessionKey, error)
}

// Limits are how much there may be of uploads, and for how long.
type Limits struct {
	TTL          time.Duration // time without a packet after which an upload is dropped
	FilesOpen    time.Duration // idle time after which its files are closed
	PacketTTL    time.Duration // time without a piece after which a packet in pieces is dropped
	MaxOfClient  int
	MaxOfAddress int // 0: no limit
	MaxInAll     int // 0: no limit
	Keep         store.Retention
}

// A Registry knows every unfinished upload.
type Registry struct {
	Deps
	buffers *bufferPool
	streams *packetStreams
	waiting *waitingRooms
	small   atomic.Int64 // bytes of small content in memory

	mu        sync.Mutex // guards what follows; no upload's is waited for under it
	byID      map[store.UploadID]*Upload
	byKey     map[Key]*Upload                // those named by their file
	ofConn    map[Owner]map[*Upload]struct{} // of these, those of a connection
	count     map[store.ClientID]int
	proven    map[store.ClientID]int        // of these, uploads that belong to no connection
	committed map[store.UploadID]commitment // recent ones, to answer a repeated question
	lastOf    map[Key]store.UploadID        // which of them bore a name
	held      map[netip.Prefix]*holding
	unproven  int // of these
}

// A commitment is what came of an upload.
type commitment struct {
	key    Key
	result Result
	at     time.Time
}

// rememberCommits is how long a repeated confirmation is answered as the first.
const rememberCommits = 10 * time.Minute

// New makes a registry without uploads.
func New(d Deps) *Registry {
	return &Registry{Deps: d, buffers: newBufferPool(), streams: newPacketStreams(), waiting: newWaitingRooms(),
		byID: make(map[store.UploadID]*Upload), byKey: make(map[Key]*Upload), ofConn: make(map[Owner]map[*Upload]struct{}),
		count: make(map[store.ClientID]int), proven: make(map[store.ClientID]int), committed: make(map[store.UploadID]commitment),
		lastOf: make(map[Key]store.UploadID), held: make(map[netip.Prefix]*holding)}
}

// make makes an upload that is not registered yet.
func (r *Registry) make(f File) *Upload {
	u := &Upload{r: r, file: f, created: time.Now()}
	rand.Read(u.id[:])
	u.changed = u.created
	u.init()
	return u
}

// init gives the upload an assembler and contents.
func (u *Upload) init() {
	r, f := u.r, &u.file
	u.contents = &contents{id: u.id, header: u.header, blobs: r.Blobs, inAll: &r.small, logged: f.Strict, logger: r.Log, stream: newStream(f.Session.Key)}
	u.packets = newAssembler(f.Strict, f.Original, f.Total, u.contents, spooled{rooms: r.waiting, client: f.Key.Client})
}

// Begin begins an upload that is named by its id.
func (r *Registry) Begin(ctx context.Context, f File) (*Upload, error) {
	f.ByID = true
	if err := r.MayBegin(ctx, f.Key.Client); err != nil {
		return nil, err
	}
	u := r.make(f)
	return u, r.add(ctx, u)
}

// ForKey returns the upload that a packet named by its file belongs to, beginning
// one where there is none, or where this is another file by the same name:
// packet 1 a second time, another session key, other sizes.
func (r *Registry) ForKey(ctx context.Context, f File, number uint32) (*Upload, error) {
	for {
		old := r.get(f.Key)
		if old != nil && old.accepts(f, number) {
			return old, nil
		}
		if old == nil {
			if err := r.MayBegin(ctx, f.Key.Client); err != nil {
				return nil, err
			}
		}
		u := r.make(f)
		u.packets.started = number == 1
		if old != nil {
			u.failedAttempts, u.meta = old.attempts()
		}
		evicted, taken, err := r.replace(old, u)
		if taken {
			continue // another connection was first
		}
		r.evict(ctx, evicted)
		if old != nil {
			err = errors.Join(err, old.Drop(ctx, Replaced))
		}
		return u, err
	}
}

// get is the upload that is named so, nil if there is none.
func (r *Registry) get(key Key) *Upload {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byKey[key]
}

// replace puts an upload in the place of an old one, which may be nil, unless
// the place is taken.
func (r *Registry) replace(old, u *Upload) (evicted []*Upload, taken bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[u.file.Key] != old {
		return nil, true, nil
	}
	if old != nil {
		r.forgetLocked(old)
	}
	evicted, err = r.addLocked(u)
	return evicted, false, err
}

// add registers an upload that is not there yet.
func (r *Registry) add(ctx context.Context, u *Upload) error {
	r.mu.Lock()
	evicted, err := r.addLocked(u)
	r.mu.Unlock()
	r.evict(ctx, evicted)
	return err
}

func (r *Registry) addLocked(u *Upload) (evicted []*Upload, err error) {
	limits := r.Limits()
	if most, have := r.roomLocked(u, &limits); have >= most {
		return nil, refuse(TooMany, fmt.Sprintf("too many unfinished uploads: finish or cancel one of %d", most))
	}
	if evicted, err = r.makeRoomLocked(u, &limits); err != nil {
		return evicted, err
	}
	r.holdLocked(u)
	key := u.file.Key
	r.count[key.Client]++
	if u.shared() {
		r.proven[key.Client]++
	}
	r.byID[u.id] = u
	if !u.file.ByID {
		r.byKey[key] = u
		delete(r.lastOf, key)
		if key.Owner.IsConn() {
			if r.ofConn[key.Owner] == nil {
				r.ofConn[key.Owner] = make(map[*Upload]struct{}, 1)
			}
			r.ofConn[key.Owner][u] = struct{}{}
		}
	}
	return evicted, nil
}

// shared reports whether the upload is no single connection's.
func (u *Upload) shared() bool { return u.file.ByID || !u.file.Key.Owner.IsConn() }

// maxOfConn is how many uploads a connection may have by their file's name.
const maxOfConn = 64

// roomLocked is how many uploads there may be beside this one, and are. What a
// connection has begun without a proof counts for that connection alone, so
// that strangers who know a client's id take no room from its owner.
func (r *Registry) roomLocked(u *Upload, limits *Limits) (most, have int) {
	if !u.shared() {
		return min(limits.MaxOfClient, maxOfConn), len(r.ofConn[u.file.Key.Owner])
	}
	return limits.MaxOfClient, r.proven[u.file.Key.Client]
}

// forget removes an upload from the registry; the caller ends the upload.
func (r *Registry) forget(u *Upload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetLocked(u)
}

func (r *Registry) forgetLocked(u *Upload) {
	if r.byID[u.id] != u {
		return
	}
	key := u.file.Key
	delete(r.byID, u.id)
	r.releaseLocked(u)
	if r.byKey[key] == u {
		delete(r.byKey, key)
	}
	if mine := r.ofConn[key.Owner]; mine != nil {
		if delete(mine, u); len(mine) == 0 {
			delete(r.ofConn, key.Owner)
		}
	}
	less(r.count, key.Client)
	if u.shared() {
		less(r.proven, key.Client)
	}
}

// less counts one down, and keeps no zeros.
func less(count map[store.ClientID]int, client store.ClientID) {
	if count[client]--; count[client] <= 0 {
		delete(count, client)
	}
}

// remember takes out an upload that was committed, and keeps what came of it for
// a while.
func (r *Registry) remember(u *Upload, result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetLocked(u)
	r.committed[u.id] = commitment{u.file.Key, result, time.Now()}
	if !u.file.ByID {
		r.lastOf[u.file.Key] = u.id
	}
}

// Result returns the result of a client's upload that was committed recently.
func (r *Registry) Result(client store.ClientID, id store.UploadID) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.committed[id]
	return c.result, ok && c.key.Client == client
}

// ResultFor returns the result of the last upload of that name, if it was
// committed recently.
func (r *Registry) ResultFor(key Key) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.committed[r.lastOf[key]]
	return c.result, ok && c.key.Client == key.Client
}

// Find finds a client's upload by its id.
func (r *Registry) Find(client store.ClientID, id store.UploadID) (*Upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.byID[id]
	if u == nil || u.file.Key.Client != client {
		return nil, ErrNotFound
	}
	return u, nil
}

// FindKey finds an upload by its file.
func (r *Registry) FindKey(key Key) (*Upload, error) {
	if u := r.get(key); u != nil {
		return u, nil
	}
	return nil, ErrNotFound
}

// ByID finds an upload by its id, whosever it is.
func (r *Registry) ByID(id store.UploadID) (*Upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.byID[id]; u != nil {
		return u, nil
	}
	return nil, ErrNotFound
}

// Began reports whether an upload is named so, or was until it was committed.
func (r *Registry) Began(key Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, committed := r.lastOf[key]
	return committed || r.byKey[key] != nil
}

// DropKey drops the upload that is named so, if there is one.
func (r *Registry) DropKey(ctx context.Context, key Key) error {
	if u := r.get(key); u != nil {
		return u.Drop(ctx, Replaced)
	}
	return nil
}

// DropOwned drops what a connection leaves behind as it closes.
func (r *Registry) DropOwned(ctx context.Context, o Owner) {
	r.mu.Lock()
	left := slices.Collect(maps.Keys(r.ofConn[o]))
	for _, u := range left {
		r.forgetLocked(u)
	}
	r.mu.Unlock()
	for _, u := range left {
		if err := u.Drop(ctx, Abandoned); err != nil {
			r.Log.Error("cannot remove what a closed connection had sent", "upload", u.id, "error", err)
		}
	}
}

// Of lists a client's uploads.
func (r *Registry) Of(client store.ClientID) (list []*Upload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.byID {
		if u.file.Key.Client == client {
			list = append(list, u)
		}
	}
	return list
}

// All lists every upload.
func (r *Registry) All() []*Upload {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.byID))
}

// Len is how many uploads there are.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID)
}

// CountOf is how many uploads a client has.
func (r *Registry) CountOf(client store.ClientID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[client]
}

// SmallContent is how many bytes of content are in memory.
func (r *Registry) SmallContent() int64 { return r.small.Load() }

// Expire drops uploads that nobody finished, and packets in pieces whose sender
// has gone silent, and releases the open files of uploads at rest.
func (r *Registry) Expire(ctx context.Context, now time.Time) {
	limits := r.Limits()
	r.streams.expire(ctx, now, limits.PacketTTL)
	r.forgetCommits(now)
	for _, u := range r.All() {
		idle, atRest := u.idleFor(now)
		if !atRest {
			continue
		}
		if idle > limits.FilesOpen {
			if err := u.closeFiles(); err != nil {
				r.Log.Warn("cannot close an upload's files", "upload", u.id, "error", err)
			}
		}
		if idle > limits.TTL {
			if err := u.Drop(ctx, Expired); err != nil {
				r.Log.Error("cannot remove an expired upload", "upload", u.id, "error", err)
			}
		}
	}
}

func (r *Registry) forgetCommits(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.committed {
		if now.Sub(c.at) > rememberCommits {
			delete(r.committed, id)
			if r.lastOf[c.key] == id {
				delete(r.lastOf, c.key)
			}
		}
	}
}

// idleFor is how long no packet has come, and whether nobody works on the upload.
func (u *Upload) idleFor(now time.Time) (idle time.Duration, atRest bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Sub(u.changed), u.packets.active == 0 && u.settled == nil
}

// closeFiles releases the files that the upload holds open; it can continue.
func (u *Upload) closeFiles() error {
	u.mu.Lock()
	part := u.contents.part
	u.mu.Unlock()
	if part == nil {
		return nil
	}
	return part.Close()
}

// Close releases what uploads hold open; they stay, for the next run.
func (r *Registry) Close() error {
	var err error
	for _, u := range r.All() {
		err = errors.Join(err, u.closeFiles())
	}
	return err
}
