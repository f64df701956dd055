package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
	byName    map[fileName]*upload // those named by client and file name
	count     map[store.ClientID]int
	committed map[store.UploadID]commitment // lately, to answer a repeated question
	lastNamed map[fileName]store.UploadID   // which of them bore a name
}

type fileName struct {
	client store.ClientID
	name   string
}

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
		count: make(map[store.ClientID]int), committed: make(map[store.UploadID]commitment),
		lastNamed: make(map[fileName]store.UploadID)}
}

// add registers an upload that is not there yet.
func (us *uploads) add(u *upload) error {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.addLocked(u)
}

func (us *uploads) addLocked(u *upload) error {
	if us.count[u.client] >= us.s.cfg.MaxUploads {
		return failure(protocol.StatusTooMany, fmt.Sprintf("too many unfinished uploads: finish or cancel one of %d", us.s.cfg.MaxUploads))
	}
	us.count[u.client]++
	us.byID[u.id] = u
	if !u.byID {
		us.byName[fileName{u.client, u.name}] = u
		delete(us.lastNamed, fileName{u.client, u.name})
	}
	return nil
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
	if key := (fileName{u.client, u.name}); us.byName[key] == u {
		delete(us.byName, key)
	}
	if us.count[u.client]--; us.count[u.client] == 0 {
		delete(us.count, u.client)
	}
}

// find finds a client's upload by its id or by its file name.
func (us *uploads) find(client store.ClientID, ref protocol.UploadRef) (*upload, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u := us.byName[fileName{client, ref.Name}]
	if ref.ByID {
		u = us.byID[store.UploadID(ref.Upload)]
	}
	if u == nil || u.client != client {
		return nil, broken(protocol.RuleNotReceived, protocol.StatusNotFound, "no such upload")
	}
	return u, nil
}

// dropNamed drops the upload that a client named so, if there is one.
func (us *uploads) dropNamed(ctx context.Context, client store.ClientID, name string) error {
	u, err := us.find(client, protocol.UploadRef{Name: name})
	if err != nil {
		return nil
	}
	us.forget(u)
	return u.drop(ctx)
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

func (us *uploads) newUpload(client store.ClientID, name string, sess session) *upload {
	u := &upload{s: us.s, client: client, name: name, session: sess, created: time.Now(),
		next: 1, stream: newStream(sess.key), waiting: make(map[uint32]region)}
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
