package maintain_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/store"
	"coffer/store/files"
	"coffer/store/sqlite"
)

// A storage is a catalog and blobs in a temporary folder.
type storage struct {
	t       *testing.T
	folder  string
	catalog *sqlite.Catalog
	blobs   *files.Store
	ids     byte
}

func newStorage(t *testing.T) *storage {
	t.Helper()
	s := &storage{t: t, folder: t.TempDir()}
	s.openCatalog("catalog.db")
	var err error
	if s.blobs, err = files.Open(filepath.Join(s.folder, "blobs")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.check(s.blobs.Close()) })
	done, err := maintain.Reconcile(t.Context(), s.catalog, s.blobs)
	if err != nil || done.Needed {
		t.Fatalf("reconcile nothing: %+v, %v", done, err)
	}
	return s
}

// openCatalog opens a catalog in place of the one there was.
func (s *storage) openCatalog(name string) {
	s.t.Helper()
	catalog, err := sqlite.Open(s.t.Context(), filepath.Join(s.folder, name))
	s.check(err)
	s.t.Cleanup(func() { s.check(catalog.Close()) })
	s.catalog = catalog
}

func (s *storage) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// client registers a client.
func (s *storage) client(name string) store.Client {
	s.t.Helper()
	s.ids++
	c := store.Client{ID: store.ClientID{s.ids}, Name: name, OAEPHash: "sha256", Created: time.Now()}
	s.check(s.blobs.PutAccountRecord(s.t.Context(), store.AccountRecord{Client: c}))
	s.check(s.catalog.AddClient(s.t.Context(), c))
	return c
}

// receive makes a blob of what a client sent, which it has not confirmed.
func (s *storage) receive(c store.Client, name string, content []byte, format uint8) store.Version {
	s.t.Helper()
	l := store.Metadata{Client: c.ID, Name: name, WireName: []byte(name), WrappedKey: []byte{1}, OAEPHash: "sha256", Format: format,
		Size: int64(len(content)), OriginalSize: int64(len(content)) - 1, SHA256: sha256.Sum256(content), Received: time.Now()}
	rand.Read(l.Upload[:])
	v := store.Version{Metadata: l, Verified: true, Created: l.Received}
	var err error
	if len(content) <= store.SmallBlob {
		v.Blob, err = s.blobs.Put(s.t.Context(), l, content)
		s.check(err)
		return v
	}
	part, err := s.blobs.NewPart(s.t.Context(), l.Upload, nil)
	s.check(err)
	_, err = part.Content().WriteAt(content, 0)
	s.check(err)
	v.Blob, err = part.Commit(s.t.Context(), l)
	s.check(err)
	return v
}

// store makes a version of what a client sent.
func (s *storage) store(c store.Client, name string, content []byte) store.Version {
	s.t.Helper()
	return s.commit(s.receive(c, name, content, 0))
}

func (s *storage) commit(v store.Version) store.Version {
	s.t.Helper()
	number, _, err := s.catalog.Commit(s.t.Context(), v, store.Retention{})
	s.check(err)
	v.Number = number
	s.check(s.blobs.Confirm(s.t.Context(), v.Blob, store.Confirmation{Number: number, Verified: v.Verified, Created: v.Created}))
	return v
}

// file is where a large blob lies.
func (s *storage) file(v store.Version) string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.folder, "blobs", "*", "*"+filepath.Base(string(v.Blob))))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("the blob %s is at %q, %v", v.Blob, found, err)
	}
	return found[0]
}

// ciphertext is some of n bytes, a multiple of a block.
func ciphertext(seed byte, n int) []byte { return bytes.Repeat([]byte{seed, 1, 2, 3}, n/4) }
