package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
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
		return nil, failure(protocol.StatusNotFound, "no such upload")
	}
	return u, nil
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

// A named packet says which upload it belongs to by what it brings along.
type named struct {
	client   store.ClientID
	name     string
	wire     protocol.Field
	original uint64
	total    uint32
	strict   bool
}

// named returns the upload that a packet named by its file name belongs to,
// beginning one where there is none, or where this is another file by the same
// name: packet 1 a second time, another session key, other sizes.
func (us *uploads) named(ctx context.Context, n named, number uint32, sess session) (*upload, error) {
	key := fileName{n.client, n.name}
	for {
		us.mu.Lock()
		old := us.byName[key]
		us.mu.Unlock()
		if old != nil && old.takes(n, number, sess) {
			return old, nil
		}
		u := us.newUpload(n.client, n.name, sess)
		u.wire, u.original, u.total, u.strict = n.wire, n.original, n.total, n.strict
		if old != nil {
			u.attempts = old.wrongSoFar()
		}
		us.mu.Lock()
		if us.byName[key] != old {
			us.mu.Unlock()
			continue // another connection was first
		}
		if old != nil {
			us.forgetLocked(old)
		}
		err := us.addLocked(u)
		us.mu.Unlock()
		if old != nil {
			err = errors.Join(err, old.drop(ctx))
		}
		return u, err
	}
}

func (u *upload) wrongSoFar() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.attempts
}

// takes reports whether a packet belongs to this upload and not to a new one.
func (u *upload) takes(n named, number uint32, sess session) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	same := u.session.key == sess.key && u.original == n.original && u.total == n.total && u.strict == n.strict
	if u.state == complete || u.state == sealing {
		// What lies beyond the packets of a complete file is surplus. A
		// gateway's packet may also be one that it sends again.
		return same && (number >= u.next || u.strict && number != 1)
	}
	again := number == 1 && (u.next > 1 || u.lane != nil && u.lane.number == 1)
	return u.state == receiving && same && !again
}

func (us *uploads) newUpload(client store.ClientID, name string, sess session) *upload {
	u := &upload{s: us.s, client: client, name: name, session: sess, created: time.Now(),
		next: 1, stream: newStream(sess.key), waiting: make(map[uint32]region)}
	u.changed = u.created
	rand.Read(u.id[:])
	return u
}

// partHeader is what a part keeps of its upload, for a server that starts
// again.
type partHeader struct {
	Client      store.ClientID  `json:"client"`
	Name        string          `json:"name"`
	Wire        []byte          `json:"wire"`
	ByID        bool            `json:"by_id"`
	Format      protocol.Format `json:"format"`
	Original    uint64          `json:"original"`
	Total       uint32          `json:"total"`
	Attempts    int             `json:"attempts"`
	Created     time.Time       `json:"created"`
	SealedKey   []byte          `json:"sealed_key"` // with the master key
	WrappedKey  []byte          `json:"wrapped_key"`
	Fingerprint [32]byte        `json:"fingerprint"`
	OAEPHash    string          `json:"oaep_hash"`
	Strict      bool            `json:"strict"`
}

// makePartLocked gives the upload a part to gather in.
func (u *upload) makePartLocked() error {
	if u.part != nil {
		return nil
	}
	header, err := json.Marshal(partHeader{
		Client: u.client, Name: u.name, Wire: u.wire[:], ByID: u.byID, Format: u.format,
		Original: u.original, Total: u.total, Attempts: u.attempts, Created: u.created,
		SealedKey: u.s.cfg.MasterKey.seal(u.session.key[:], u.id[:]), WrappedKey: u.session.wrapped,
		Fingerprint: u.session.fingerprint, OAEPHash: u.session.oaep.String(), Strict: u.strict,
	})
	if err != nil {
		return fmt.Errorf("describing an upload: %w", err)
	}
	part, err := u.s.cfg.Blobs.NewPart(context.Background(), u.id, header)
	if err != nil {
		return fmt.Errorf("making room for an upload: %w", err)
	}
	u.part = part
	if len(u.small) > 0 {
		if _, err := part.Content().WriteAt(u.small, 0); err != nil {
			return fmt.Errorf("storing content: %w", err)
		}
		u.small = nil
	}
	return nil
}

// load takes up the uploads that an earlier run left.
func (us *uploads) load(ctx context.Context) error {
	blobs := us.s.cfg.Blobs
	err := blobs.Parts(ctx, func(part store.Part, header []byte, records [][]byte) error {
		u, err := us.fromPart(part, header)
		if err != nil {
			us.s.log.Warn("an unfinished upload cannot be taken up", "upload", part.ID(), "error", err)
			return part.Discard()
		}
		if u == nil {
			return part.Discard()
		}
		u.replay(records)
		if err := us.add(u); err != nil {
			return part.Discard()
		}
		return part.Close()
	})
	if err != nil {
		return err
	}
	since := time.Now().Add(-2 * us.s.cfg.UploadTTL)
	return blobs.Pending(ctx, since, func(b store.StoredBlob) error { return us.fromBlob(ctx, b) })
}

// fromPart makes the upload of a part; nil for one that is not worth keeping:
// a base client knows nothing of it.
func (us *uploads) fromPart(part store.Part, header []byte) (*upload, error) {
	var h partHeader
	if err := json.Unmarshal(header, &h); err != nil {
		return nil, err
	}
	if !h.Strict || time.Since(h.Created) > us.s.cfg.UploadTTL {
		return nil, nil
	}
	id := part.ID()
	key, err := us.s.cfg.MasterKey.openKey(h.SealedKey, id[:])
	if err != nil {
		return nil, err
	}
	hash, err := crypt.ParseOAEPHash(h.OAEPHash)
	if err != nil {
		return nil, err
	}
	u := us.newUpload(h.Client, h.Name, session{key: key, wrapped: h.WrappedKey, fingerprint: h.Fingerprint, oaep: hash})
	u.id, u.byID, u.format, u.original, u.total = id, h.ByID, h.Format, h.Original, h.Total
	u.attempts, u.created, u.strict, u.part = h.Attempts, h.Created, h.Strict, part
	copy(u.wire[:], h.Wire)
	return u, nil
}

// fromBlob takes up a blob that is complete and not confirmed: the client may
// still do so. One whose commit was written before its mark gets the mark.
func (us *uploads) fromBlob(ctx context.Context, b store.StoredBlob) error {
	if versions, err := us.s.cfg.Catalog.Versions(ctx, b.Label.Client, b.Label.Name); err == nil {
		for _, v := range versions {
			if v.Blob == b.Ref {
				return us.s.cfg.Blobs.Confirm(ctx, b.Ref, store.Confirmation{Number: v.Number, Verified: v.Verified, Created: v.Created})
			}
		}
	} else if !errors.Is(err, store.ErrNoFile) {
		return err
	}
	if time.Since(b.Label.Received) > us.s.cfg.UploadTTL {
		return us.s.cfg.Blobs.Remove(ctx, b.Ref)
	}
	// The key is not kept with the blob, so this one cannot be sent again.
	u := us.newUpload(b.Label.Client, b.Label.Name, session{})
	u.id, u.byID, u.strict, u.format = b.Label.Upload, b.Label.ByID, true, protocol.Format(b.Label.Format)
	u.state, u.label, u.ref, u.created, u.changed = complete, b.Label, b.Ref, b.Label.Received, b.Label.Received
	copy(u.wire[:], b.Label.WireName)
	us.mu.Lock()
	other := us.byName[fileName{u.client, u.name}]
	if !u.byID && other != nil && other.changed.After(u.changed) {
		us.mu.Unlock()
		return us.s.cfg.Blobs.Remove(ctx, b.Ref)
	}
	if !u.byID && other != nil {
		us.forgetLocked(other)
	}
	err := us.addLocked(u)
	us.mu.Unlock()
	if !u.byID && other != nil {
		err = errors.Join(err, other.drop(ctx))
	}
	return err
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
		if !busy && idle > us.s.cfg.UploadTTL {
			us.forget(u)
			if err := u.drop(ctx); err != nil {
				us.s.log.Error("cannot remove an expired upload", "upload", u.id, "error", err)
			}
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

// commit makes a complete upload the newest version of its file.
func (us *uploads) commit(ctx context.Context, u *upload) (protocol.VerifyResult, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != complete {
		return protocol.VerifyResult{}, failure(protocol.StatusConflict, "the file is not complete")
	}
	cfg := &us.s.cfg
	v := store.Version{Label: u.label, Verified: true, Created: time.Now(), Blob: u.ref}
	number, dropped, err := cfg.Catalog.Commit(ctx, v, cfg.KeepVersions)
	if err != nil {
		return protocol.VerifyResult{}, fmt.Errorf("committing a file: %w", err)
	}
	u.state = gone
	result := protocol.VerifyResult{Verified: true, Cksum: u.label.Cksum, Version: number}
	us.mu.Lock()
	us.forgetLocked(u)
	file := fileName{u.client, u.name}
	us.committed[u.id] = commitment{file, result, time.Now()}
	if !u.byID {
		us.lastNamed[file] = u.id
	}
	us.mu.Unlock()
	if err := cfg.Blobs.Confirm(ctx, u.ref, store.Confirmation{Number: number, Verified: true, Created: v.Created}); err != nil {
		us.s.log.Error("a committed file would be missing from a rebuilt catalog", "client", u.client, "error", err)
	}
	us.s.removeBlobs(ctx, dropped)
	return result, nil
}

// done finds what came of an upload that was lately committed.
func (us *uploads) done(client store.ClientID, ref protocol.UploadRef) (protocol.VerifyResult, bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	id := store.UploadID(ref.Upload)
	if !ref.ByID {
		id = us.lastNamed[fileName{client, ref.Name}]
	}
	c, ok := us.committed[id]
	return c.result, ok && c.file.client == client
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
