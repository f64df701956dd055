// Package files keeps blobs in a folder of the local file system: what Put and
// Commit have returned is on stable storage, readable with ordinary tools, and
// found again after a crash at any moment.
//
// The folder, received_files under the server's data, looks like this:
//
//	ab/ab12…           a large blob: exactly the ciphertext, nothing else
//	ab/ab12….json      its metadata, in plain JSON: the client, the wrapped key,
//	                   and, once it is committed, the version it became
//	pending/ab12…      empty; there while the blob is not committed
//	packs/00000001.pack
//	                   small blobs, one after another; see record.go
//	incoming/<upload>.content, .waiting, .log
//	                   an unfinished upload: the ciphertext in order, packets
//	                   whose turn has not come, and what the core noted
//	snapshots/<hash>/client, <hash>/7f/<id>-<ordinal>-<random>
//	                   whose they are, and the packs of its snapshots, each an
//	                   age file; see sealedpack.go
//	clients/<hash>.json
//	                   an account record, without session key
//
// A large blob can be opened with openssl and its owner's RSA key alone: the
// metadata has the session key as the client got it, and the content is one
// AES-256-CBC stream with a zero IV.
//
// All names are made here; none comes from the wire, and a reference out of a
// tampered catalog cannot lead out of the folder. The package does not keep
// two processes from using one folder, and does not decide what is garbage:
// Orphans finds what a crash may have left, for others to judge.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"coffer/store"
)

// The folders beside those of the large blobs.
const (
	incomingDir = "incoming"
	pendingDir  = "pending"
	packsDir    = "packs"
	clientsDir  = "clients"
	sealedDir   = "snapshots"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Store is a store.Blobs in a folder.
type Store struct {
	dir   string
	root  *os.Root
	packs *packs

	handles *handles // of unfinished uploads

	accountRecords sync.Mutex // held while an account record is written

	mu    sync.Mutex
	parts map[store.UploadID]bool // parts in use; guarded by mu

	sealed sealedDirs
}

var _ store.Blobs = (*Store)(nil)

// An Option alters how a folder is opened.
type Option func(*options)

type options struct {
	packSize int64
}

// PackSize has a pack end when it has so many bytes, 64 MiB by default.
func PackSize(bytes int64) Option {
	return func(o *options) { o.packSize = bytes }
}

// Open opens the blobs in the folder dir, which is made if it is not there. It
// repairs what a crash has left half done.
func Open(dir string, opts ...Option) (*Store, error) {
	o := options{packSize: 64 << 20}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Store{dir: dir, parts: make(map[store.UploadID]bool), handles: newHandles()}
	if err := s.open(o); err != nil {
		if s.root != nil {
			err = errors.Join(err, s.root.Close())
		}
		return nil, fmt.Errorf("open blobs in %s: %w", dir, explain(err))
	}
	return s, nil
}

func (s *Store) open(o options) error {
	if err := os.MkdirAll(s.dir, dirMode); err != nil {
		return err
	}
	var err error
	if s.root, err = os.OpenRoot(s.dir); err != nil {
		return err
	}
	for _, dir := range []string{incomingDir, pendingDir, packsDir, clientsDir, sealedDir} {
		if err := s.makeDir(dir); err != nil {
			return err
		}
	}
	if err := s.sweepAccountRecords(); err != nil {
		return err
	}
	if err := s.sweepPending(); err != nil {
		return err
	}
	if err := s.sweepSealed(); err != nil {
		return err
	}
	s.packs, err = openPacks(rootFiles{s.root}, o.packSize)
	return err
}

// makeDir makes a folder durable; an existing one stays unchanged.
func (s *Store) makeDir(name string) error {
	err := s.root.Mkdir(name, dirMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(s.root, ".")
}

// Put stores a small blob in a pack.
func (s *Store) Put(ctx context.Context, meta store.Metadata, content []byte) (store.BlobRef, error) {
	ref, err := s.putSmall(ctx, &meta, content)
	if err != nil {
		return "", fmt.Errorf("store a small blob: %w", explain(err))
	}
	return ref, nil
}

// putSmall stores a small blob in a pack, or, with metadata that has no room
// there, as a large one.
func (s *Store) putSmall(ctx context.Context, meta *store.Metadata, content []byte) (store.BlobRef, error) {
	if fitsRecord(meta) || len(content) > store.SmallBlob || int64(len(content)) != meta.Size {
		return s.packs.put(ctx, *meta, content)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	temp := tempName()
	err := writeSynced(s.root, temp, content)
	var at place
	if err == nil {
		at, err = s.storeLarge(temp, meta)
	}
	if err != nil {
		return "", errors.Join(err, ifThere(s.root.Remove(temp)))
	}
	return at.ref(), nil
}

// Open opens a blob for reading.
func (s *Store) Open(ctx context.Context, ref store.BlobRef) (store.Blob, error) {
	at, err := parseRef(ref)
	if err == nil {
		err = ctx.Err()
	}
	var b store.Blob
	switch {
	case err != nil:
	case at.isPacked():
		b, err = s.packs.read(at)
	case at.isSealed():
		b, err = s.openFile(at.sealed)
	default:
		b, err = s.openLarge(at)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %q: %w", ref, explain(err))
	}
	return b, nil
}

// Confirm marks a blob as a committed version.
func (s *Store) Confirm(ctx context.Context, ref store.BlobRef, mark store.Confirmation) error {
	at, err := parseRef(ref)
	if err == nil {
		err = ctx.Err()
	}
	switch {
	case err != nil:
	case at.isPacked():
		err = s.packs.confirm(at, mark)
	case at.isSealed():
		err = errors.New("a snapshot's pack becomes no version")
	default:
		err = s.confirmLarge(at, mark)
	}
	if err != nil {
		return fmt.Errorf("confirm blob %q: %w", ref, explain(err))
	}
	return nil
}

// Remove removes a blob.
func (s *Store) Remove(ctx context.Context, ref store.BlobRef) error {
	at, err := parseRef(ref)
	if err == nil {
		err = ctx.Err()
	}
	switch {
	case err != nil:
	case at.isPacked():
		err = s.packs.remove(at)
	case at.isSealed():
		err = orNoBlob(s.root.Remove(at.sealed))
	default:
		err = s.removeLarge(at)
	}
	if err != nil && !errors.Is(err, store.ErrNoBlob) {
		return fmt.Errorf("remove blob %q: %w", ref, explain(err))
	}
	return nil
}

// Space returns the bytes that are free for blobs and in all.
func (s *Store) Space() (free, total uint64, err error) {
	free, total, err = diskSpace(s.dir)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the space in %s: %w", s.dir, err)
	}
	return free, total, nil
}

// Check reports whether the blobs can be read and written.
func (s *Store) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := path.Join(incomingDir, "check")
	err := writeSynced(s.root, name, []byte("check"))
	if err == nil {
		_, err = s.root.ReadFile(name)
	}
	if gone := s.root.Remove(name); err == nil {
		err = gone
	}
	if err != nil {
		return fmt.Errorf("write and read in %s: %w", s.dir, explain(err))
	}
	return nil
}

// Close finishes what is queued and closes. Confirmations of large blobs may
// still be on their way to the medium.
func (s *Store) Close() error {
	if err := errors.Join(s.packs.close(), s.root.Close()); err != nil {
		return fmt.Errorf("close blobs in %s: %w", s.dir, err)
	}
	return nil
}

// explain gives errors of the medium their names in store.
func explain(err error) error {
	if isFull(err) && !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// orNoBlob is err, and ErrNoBlob if it says that a file is missing.
func orNoBlob(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return store.ErrNoBlob
	}
	return err
}

// ifThere is err, and nil if it says that a file is missing.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// writeSynced writes a whole file and syncs it.
func writeSynced(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// names lists a folder, in order; one that is missing is empty.
func names(root *os.Root, dir string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, ifThere(err)
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list, nil
}

// damage gathers what a visit had to pass over, to report it at its end.
type damage []string

func (d *damage) add(where string) { *d = append(*d, where) }

func (d damage) err() error {
	if len(d) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", store.ErrDamaged, strings.Join(d, ", "))
}
