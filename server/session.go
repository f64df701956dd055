package server

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"coffer/protocol/crypt"
	"coffer/server/upload"
	"coffer/store"
)

// A MasterKey wraps session keys where they are stored.
type MasterKey [32]byte

// ErrMasterKey: the master key is not the one the data folder was made with.
var ErrMasterKey = errors.New("the master key is not the one this data folder was made with")

// NewMasterKey makes a random master key.
func NewMasterKey() (k MasterKey) {
	rand.Read(k[:])
	return k
}

// Format hides the key.
func (MasterKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[master key]") }

func (k MasterKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead
}

func (k MasterKey) wrap(secret, owner []byte) []byte { return k.aead().Seal(nil, nil, secret, owner) }

func (k MasterKey) unwrap(wrapped, owner []byte) ([]byte, error) {
	secret, err := k.aead().Open(nil, nil, wrapped, owner)
	if err != nil {
		return nil, ErrMasterKey
	}
	return secret, nil
}

// WrapKey encrypts a session key for storage, bound to what it belongs to.
func (k MasterKey) WrapKey(key crypt.SessionKey, owner []byte) []byte { return k.wrap(key[:], owner) }

// UnwrapKey is the session key that WrapKey encrypted for the same owner.
func (k MasterKey) UnwrapKey(wrapped, owner []byte) (key crypt.SessionKey, err error) {
	secret, err := k.unwrap(wrapped, owner)
	if err == nil && copy(key[:], secret) != len(key) {
		err = ErrMasterKey
	}
	return key, err
}

const masterKeyCheck = "master_key_check"

// checkMasterKey compares the key with the one that the catalog was first
// opened with, of which it keeps a proof.
func checkMasterKey(ctx context.Context, catalog store.Settings, key MasterKey) error {
	sealed, err := catalog.Setting(ctx, masterKeyCheck)
	if err != nil {
		return fmt.Errorf("reading the master key's proof: %w", err)
	}
	word := []byte("coffer")
	if sealed == nil {
		return catalog.SetSetting(ctx, masterKeyCheck, key.wrap(word, []byte(masterKeyCheck)))
	}
	if got, err := key.unwrap(sealed, []byte(masterKeyCheck)); err != nil || !bytes.Equal(got, word) {
		return ErrMasterKey
	}
	return nil
}

// An owner is who holds a session, and the uploads that are begun under it and
// named by their file. A client id stands in every header, so what one
// connection has must not be had by another that knows the id.
type owner = upload.Owner

// A session is a live session key of a client, and since when.
type session struct {
	upload.Session
	began time.Time
}

// A sessionCatalog is what sessions ask of the catalog.
type sessionCatalog interface {
	Sessions(ctx context.Context) ([]store.Client, error)
	TouchClients(ctx context.Context, last []store.LastRequest) error
}

// sessions holds the live session keys, and the time of each client's last
// request. The catalog has the gateway's sessions too, and they survive a
// restart; a connection's session ends with the connection.
type sessions struct {
	catalog sessionCatalog
	master  MasterKey
	ttl     func() time.Duration // may change
	log     *slog.Logger

	mu   sync.Mutex
	live map[store.ClientID]map[owner]*liveSession // no empty ones within
	seen map[store.ClientID]time.Time              // since the last flush, without a session
	over map[store.ClientID]struct{}               // whose session with the gateway is over since then
}

type liveSession struct {
	session
	used    time.Time
	written bool // used is in the catalog
}

func newSessions(catalog sessionCatalog, master MasterKey, ttl func() time.Duration, log *slog.Logger) *sessions {
	return &sessions{catalog: catalog, master: master, ttl: ttl, log: log,
		live: make(map[store.ClientID]map[owner]*liveSession), seen: make(map[store.ClientID]time.Time), over: make(map[store.ClientID]struct{})}
}

// load restores the gateway's sessions that were live when the core stopped.
func (s *sessions) load(ctx context.Context) error {
	clients, err := s.catalog.Sessions(ctx)
	if err != nil {
		return err
	}
	var ended []store.LastRequest
	for _, c := range clients {
		key, err := s.master.UnwrapKey(c.SessionKey, c.ID[:])
		pub, _, keyErr := crypt.ParsePublicKey(c.PublicKey)
		if err != nil || keyErr != nil || time.Since(c.LastSeen) > s.ttl() {
			ended = append(ended, store.LastRequest{ID: c.ID, At: c.LastSeen, Ended: true})
			continue
		}
		hash, err := crypt.ParseOAEPHash(c.OAEPHash)
		if err != nil {
			return fmt.Errorf("%v: %w", c.ID, err)
		}
		// What is stored is the key as the client got it; wrapping again gives
		// other bytes of the same worth.
		wrapped, err := crypt.Wrap(pub, hash, key)
		if err != nil {
			return fmt.Errorf("%v: %w", c.ID, err)
		}
		s.putLocked(c.ID, upload.Gateway, &liveSession{used: c.LastSeen, written: true,
			session: session{Session: upload.Session{ClientName: c.Name, Key: key, Wrapped: wrapped, Fingerprint: crypt.Fingerprint(pub), OAEPHash: hash}}})
	}
	return s.catalog.TouchClients(ctx, ended)
}

// liveLocked is the owner's session with the client, nil if there is none or
// it was idle for longer than the TTL.
func (s *sessions) liveLocked(id store.ClientID, o owner) *liveSession {
	if l := s.live[id][o]; l != nil && time.Since(l.used) <= s.ttl() {
		return l
	}
	return nil
}

func (s *sessions) putLocked(id store.ClientID, o owner, l *liveSession) {
	if s.live[id] == nil {
		s.live[id] = make(map[owner]*liveSession, 1)
	}
	s.live[id][o] = l
}

func (s *sessions) dropLocked(id store.ClientID, o owner) {
	delete(s.live[id], o)
	if len(s.live[id]) == 0 {
		delete(s.live, id)
	}
}

// get returns the session that an owner holds, and counts as its use.
func (s *sessions) get(id store.ClientID, o owner) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.liveLocked(id, o)
	if l == nil {
		return session{}, false
	}
	l.used, l.written = time.Now(), false
	return l.session, true
}

// name is what a client with a live session is called.
func (s *sessions) name(id store.ClientID) (name string, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.live[id] {
		return l.ClientName, true
	}
	return "", false
}

// used is when a client was seen that the catalog may not know of yet, and
// whether it has a live session.
func (s *sessions) used(id store.ClientID) (at time.Time, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.live[id] {
		if l := s.liveLocked(id, o); l != nil {
			at, live = later(at, l.used), true
		}
	}
	if !live {
		at = s.seen[id]
	}
	return at, live
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// put makes sess the session that an owner holds with the client. Those of
// other owners stay as they are.
func (s *sessions) put(id store.ClientID, o owner, sess session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked(id, o, &liveSession{session: sess, used: time.Now()})
	if o == upload.Gateway {
		delete(s.over, id)
	}
}

// release ends the session of one owner.
func (s *sessions) release(id store.ClientID, o owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.live[id][o]; l != nil {
		if !l.written || o == upload.Gateway {
			s.seen[id] = later(s.seen[id], l.used)
		}
		if o == upload.Gateway {
			s.over[id] = struct{}{}
		}
		s.dropLocked(id, o)
	}
}

// end ends all sessions of a client, and forgets when it was seen.
func (s *sessions) end(id store.ClientID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, id)
	delete(s.seen, id)
	delete(s.over, id)
}

// touch records that the client was seen, and that the owner's session, if
// there is one, was used.
func (s *sessions) touch(id store.ClientID, o owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.liveLocked(id, o); l != nil {
		l.used, l.written = time.Now(), false
	} else {
		s.seen[id] = time.Now()
	}
}

// count is the number of clients with a live session.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// flush writes the times of last requests to the catalog, and ends sessions
// that were idle for longer than the TTL.
func (s *sessions) flush(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	due := make(map[store.ClientID]store.LastRequest, len(s.seen))
	touch := func(id store.ClientID, at time.Time, ended bool) {
		one := due[id]
		due[id] = store.LastRequest{ID: id, At: later(one.At, at), Ended: one.Ended || ended}
	}
	for id, held := range s.live {
		for o, l := range held {
			over := now.Sub(l.used) > s.ttl()
			if over {
				s.dropLocked(id, o)
			}
			// Only the gateway's is in the catalog.
			if ended := over && o == upload.Gateway; ended || !l.written {
				touch(id, l.used, ended)
				l.written = true
			}
		}
	}
	for id, at := range s.seen {
		_, ended := s.over[id]
		touch(id, at, ended)
	}
	clear(s.seen)
	clear(s.over)
	s.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	return s.catalog.TouchClients(ctx, slices.Collect(maps.Values(due)))
}
