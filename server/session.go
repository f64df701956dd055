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
	"sync"
	"time"

	"coffer/protocol/crypt"
	"coffer/store"
)

// A MasterKey seals session keys where they are stored.
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

// seal encrypts a session key for storage, bound to what it belongs to.
func (k MasterKey) seal(secret, owner []byte) []byte { return k.aead().Seal(nil, nil, secret, owner) }

func (k MasterKey) open(sealed, owner []byte) ([]byte, error) {
	secret, err := k.aead().Open(nil, nil, sealed, owner)
	if err != nil {
		return nil, ErrMasterKey
	}
	return secret, nil
}

func (k MasterKey) openKey(sealed, owner []byte) (key crypt.SessionKey, err error) {
	secret, err := k.open(sealed, owner)
	if err == nil && copy(key[:], secret) != len(key) {
		err = ErrMasterKey
	}
	return key, err
}

const masterKeyCheck = "master_key_check"

// checkMasterKey compares the key with the one that the catalog was first
// opened with, of which it keeps a proof.
func checkMasterKey(ctx context.Context, catalog store.Catalog, key MasterKey) error {
	sealed, err := catalog.Setting(ctx, masterKeyCheck)
	if err != nil {
		return fmt.Errorf("reading the master key's proof: %w", err)
	}
	word := []byte("coffer")
	if sealed == nil {
		return catalog.SetSetting(ctx, masterKeyCheck, key.seal(word, []byte(masterKeyCheck)))
	}
	if got, err := key.open(sealed, []byte(masterKeyCheck)); err != nil || !bytes.Equal(got, word) {
		return ErrMasterKey
	}
	return nil
}

// A session is a client's live session key and what lies with the files that
// are encrypted under it.
type session struct {
	name        string // the client's
	key         crypt.SessionKey
	wrapped     []byte // the key, RSA-OAEP for the client's public key
	fingerprint [32]byte
	oaep        crypt.OAEPHash
}

// sessions knows who has a live session key, and who was seen when.
type sessions struct {
	catalog store.Catalog
	master  MasterKey
	ttl     func() time.Duration // may change
	log     *slog.Logger

	mu   sync.Mutex
	live map[store.ClientID]*liveSession
	seen map[store.ClientID]time.Time // since the last flush, without a session
}

type liveSession struct {
	session
	used    time.Time
	written bool // used is in the catalog
}

func newSessions(catalog store.Catalog, master MasterKey, ttl func() time.Duration, log *slog.Logger) *sessions {
	return &sessions{catalog: catalog, master: master, ttl: ttl, log: log,
		live: make(map[store.ClientID]*liveSession), seen: make(map[store.ClientID]time.Time)}
}

// load takes up the sessions that were live when the server stopped.
func (s *sessions) load(ctx context.Context) error {
	clients, err := s.catalog.Sessions(ctx)
	if err != nil {
		return err
	}
	var ended []store.Seen
	for _, c := range clients {
		key, err := s.master.openKey(c.SessionKey, c.ID[:])
		pub, _, keyErr := crypt.ParsePublicKey(c.PublicKey)
		if err != nil || keyErr != nil || time.Since(c.LastSeen) > s.ttl() {
			ended = append(ended, store.Seen{ID: c.ID, At: c.LastSeen, Ended: true})
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
		s.live[c.ID] = &liveSession{used: c.LastSeen, written: true,
			session: session{name: c.Name, key: key, wrapped: wrapped, fingerprint: crypt.Fingerprint(pub), oaep: hash}}
	}
	return s.catalog.SawClients(ctx, ended)
}

// get returns the client's live session, and counts as its use.
func (s *sessions) get(id store.ClientID) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.live[id]
	if !ok || time.Since(l.used) > s.ttl() {
		return session{}, false
	}
	l.used, l.written = time.Now(), false
	return l.session, true
}

// peek returns the client's live session, and does not count as its use.
func (s *sessions) peek(id store.ClientID) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.live[id]
	if !ok || time.Since(l.used) > s.ttl() {
		return session{}, false
	}
	return l.session, true
}

// used is when a client was seen that the catalog may not know of yet, and
// whether it has a live session.
func (s *sessions) used(id store.ClientID) (at time.Time, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.live[id]; ok && time.Since(l.used) <= s.ttl() {
		return l.used, true
	}
	return s.seen[id], false
}

// put makes sess the client's live session.
func (s *sessions) put(id store.ClientID, sess session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[id] = &liveSession{session: sess, used: time.Now()}
}

// end forgets a client that is no more.
func (s *sessions) end(id store.ClientID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, id)
	delete(s.seen, id)
}

// touch notes that the client was seen.
func (s *sessions) touch(id store.ClientID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.live[id]; ok && time.Since(l.used) <= s.ttl() {
		l.used, l.written = time.Now(), false
	} else {
		s.seen[id] = time.Now()
	}
}

// count is the number of live sessions.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// flush writes when clients were last seen, and ends sessions that were not
// used for too long.
func (s *sessions) flush(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	var seen []store.Seen
	for id, l := range s.live {
		ended := now.Sub(l.used) > s.ttl()
		if ended {
			delete(s.live, id)
		}
		if ended || !l.written {
			seen = append(seen, store.Seen{ID: id, At: l.used, Ended: ended})
			l.written = true
		}
	}
	for id, at := range s.seen {
		seen = append(seen, store.Seen{ID: id, At: at})
	}
	clear(s.seen)
	s.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	return s.catalog.SawClients(ctx, seen)
}
