package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/protocol"
	"coffer/store"
)

// uploads knows every unfinished upload.
type uploads struct {
	s *Server

	// mu is taken after an upload's own, never before.
	mu        sync.Mutex
	byID      map[store.UploadID]*upload
	byName    map[fileName]*upload           // those named by their file
	ofConn    map[owner]map[*upload]struct{} // of these, those of a connection
	count     map[store.ClientID]int
	proven    map[store.ClientID]int        // of these, those that are no connection's
	committed map[store.UploadID]commitment // lately, to answer a repeated question
	lastNamed map[fileName]store.UploadID   // which of them bore a name
	waiting   *waitingRooms
	held      map[network]*holding
	unproven  int // of these

	small atomic.Int64 // bytes of small content in memory
}

// A fileName names an upload by its file. Owners are apart: what one has begun,
// no other finds.
type fileName struct {
	client store.ClientID
	owner  owner
	name   string
}

func (u *upload) file() fileName { return fileName{u.client, u.owner, u.name} }

// A commitment is what came of an upload.
type commitment struct {
	file   fileName
	result protocol.VerifyResult
	at     time.Time
}

// rememberCommits is how long a repeated confirmation is answered as the first.
const rememberCommits = 10 * time.Minute

func newUploads(s *Server) *uploads {
	return &uploads{s: s, byID: make(map[store.UploadID]*upload), byName: make(map[fileName]*upload),
		ofConn: make(map[owner]map[*upload]struct{}),
		count:  make(map[store.ClientID]int), proven: make(map[store.ClientID]int), committed: make(map[store.UploadID]commitment),
		lastNamed: make(map[fileName]store.UploadID), waiting: newWaitingRooms(), held: make(map[network]*holding)}
}

// add registers an upload that is not there yet.
func (us *uploads) add(ctx context.Context, u *upload) error {
	us.mu.Lock()
	evicted, err := us.addLocked(u)
	us.mu.Unlock()
	us.evict(ctx, evicted)
	return err
}

func (us *uploads) addLocked(u *upload) (evicted []*upload, err error) {
	if most, have := us.roomLocked(u); have >= most {
		return nil, refuse(protocol.StatusTooMany, fmt.Sprintf("too many unfinished uploads: finish or cancel one of %d", most))
	}
	if evicted, err = us.makeRoomLocked(u); err != nil {
		return evicted, err
	}
	us.holdLocked(u)
	us.count[u.client]++
	if u.byID || u.owner < firstConn {
		us.proven[u.client]++
	}
	us.byID[u.id] = u
	if !u.byID {
		us.byName[u.file()] = u
		delete(us.lastNamed, u.file())
		if u.owner >= firstConn {
			if us.ofConn[u.owner] == nil {
				us.ofConn[u.owner] = make(map[*upload]struct{}, 1)
			}
			us.ofConn[u.owner][u] = struct{}{}
		}
	}
	return evicted, nil
}

// maxUploadsOfConn is how many a connection may have by their file's name.
const maxUploadsOfConn = 64

// roomLocked is how many uploads there may be beside this one, and are. What a
// connection has begun without a proof counts for that connection alone, so
// that strangers who know a client's id take no room from its owner.
func (us *uploads) roomLocked(u *upload) (most, have int) {
	if !u.byID && u.owner >= firstConn {
		return min(us.s.cfg.MaxUploads, maxUploadsOfConn), len(us.ofConn[u.owner])
	}
	return us.s.cfg.MaxUploads, us.proven[u.client]
}

// forget takes an upload out; whoever calls it ends the upload.
func (us *uploads) forget(u *upload) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.forgetLocked(u)
}

func (us *uploads) forgetLocked(u *upload) {
	if us.byID[u.id] != u {
		return
	}
	delete(us.byID, u.id)
	us.releaseLocked(u)
	if us.byName[u.file()] == u {
		delete(us.byName, u.file())
	}
	if mine := us.ofConn[u.owner]; mine != nil {
		if delete(mine, u); len(mine) == 0 {
			delete(us.ofConn, u.owner)
		}
	}
	less(us.count, u.client)
	if u.byID || u.owner < firstConn {
		less(us.proven, u.client)
	}
}

// less counts one down, and keeps no zeros.
func less(count map[store.ClientID]int, client store.ClientID) {
	if count[client]--; count[client] <= 0 {
		delete(count, client)
	}
}

// find finds a client's upload by its id, or an owner's by its file name.
func (us *uploads) find(client store.ClientID, o owner, ref protocol.UploadRef) (*upload, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u := us.byName[fileName{client, o, ref.Name}]
	if ref.ByID {
		u = us.byID[store.UploadID(ref.Upload)]
	}
	if u == nil || u.client != client {
		return nil, broken(protocol.RuleNotReceived, protocol.StatusNotFound, "no such upload")
	}
	return u, nil
}

// began reports whether an upload is named so, or was until it was committed.
func (us *uploads) began(file fileName) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	_, committed := us.lastNamed[file]
	return committed || us.byName[file] != nil
}

// dropNamed drops the upload that is named so, if there is one.
func (us *uploads) dropNamed(ctx context.Context, file fileName) error {
	u, err := us.find(file.client, file.owner, protocol.UploadRef{Name: file.name})
	if err != nil {
		return nil
	}
	us.forget(u)
	return u.drop(ctx)
}

// dropOwned drops what a connection leaves behind as it closes.
func (us *uploads) dropOwned(ctx context.Context, o owner) {
	us.mu.Lock()
	left := slices.Collect(maps.Keys(us.ofConn[o]))
	for _, u := range left {
		us.forgetLocked(u)
	}
	us.mu.Unlock()
	for _, u := range left {
		if err := u.drop(ctx); err != nil {
			us.s.log.Error("cannot remove what a closed connection had sent", "upload", u.id, "error", err)
		}
		us.s.noteDropped(u, store.OutcomeWarning, "its connection closed before it was confirmed")
	}
}

// of lists a client's uploads.
func (us *uploads) of(client store.ClientID) (list []*upload) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.byID {
		if u.client == client {
			list = append(list, u)
		}
	}
	return list
}

func (us *uploads) all() []*upload {
	us.mu.Lock()
	defer us.mu.Unlock()
	return slices.Collect(maps.Values(us.byID))
}

func (us *uploads) len() int {
	us.mu.Lock()
	defer us.mu.Unlock()
	return len(us.byID)
}

func (us *uploads) countOf(client store.ClientID) int {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.count[client]
}

func (us *uploads) newUpload(file fileName, sess session) *upload {
	u := &upload{s: us.s, client: file.client, owner: file.owner, name: file.name, session: sess, created: time.Now(),
		next: 1, stream: newStream(sess.key), waiting: waiters{rooms: us.waiting, client: file.client}}
	u.changed = u.created
	u.unplaceLocked()
	rand.Read(u.id[:])
	return u
}

// expire drops uploads that nobody finished, and releases the open files of
// those at rest.
func (us *uploads) expire(ctx context.Context, now time.Time) {
	us.mu.Lock()
	for id, c := range us.committed {
		if now.Sub(c.at) > rememberCommits {
			delete(us.committed, id)
			if us.lastNamed[c.file] == id {
				delete(us.lastNamed, c.file)
			}
		}
	}
	us.mu.Unlock()
	for _, u := range us.all() {
		u.mu.Lock()
		idle := now.Sub(u.changed)
		busy := u.active > 0 || u.state == sealing
		if part := u.part; part != nil && !busy && idle > us.s.cfg.IdleTimeout {
			if err := part.Close(); err != nil {
				us.s.log.Warn("cannot close an upload's files", "upload", u.id, "error", err)
			}
		}
		u.mu.Unlock()
		if !busy && idle > us.s.Settings().UploadTTL {
			us.forget(u)
			if err := u.drop(ctx); err != nil {
				us.s.log.Error("cannot remove an expired upload", "upload", u.id, "error", err)
			}
			us.s.noteDropped(u, store.OutcomeWarning, "nobody finished it in time")
		}
	}
}

// close releases what uploads hold open; they stay, for the next run.
func (us *uploads) close() error {
	var err error
	for _, u := range us.all() {
		u.mu.Lock()
		if u.part != nil {
			err = errors.Join(err, u.part.Close())
		}
		u.mu.Unlock()
	}
	return err
}

// removeBlobs removes what nothing refers to. What cannot be removed is lost
// space, no lost file.
func (s *Server) removeBlobs(ctx context.Context, refs []store.BlobRef) {
	for _, ref := range refs {
		if err := s.cfg.Blobs.Remove(ctx, ref); err != nil {
			s.log.Error("cannot remove a blob that nothing refers to", "error", err)
		}
	}
}
