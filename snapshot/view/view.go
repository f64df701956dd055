// Package view reads snapshots: what there is, what is in one, and brings it
// back.
//
// It believes nothing that it cannot check: manifests, heads, trees and content
// were all written with the account's own keys. A server can withhold something,
// which is reported by the names of what it belongs to; it cannot change
// anything, nor swap it. Package view needs no index and no cache.
package view

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"coffer/snapshot"
	"coffer/snapshot/pack"
)

// What callers branch on. They come wrapped.
var (
	// ErrNotFound: there is no such snapshot, or nothing of that name in it.
	ErrNotFound = errors.New("not found")
	// ErrOther: the server answered with another snapshot than was asked for.
	ErrOther = errors.New("the server answered with another snapshot than was asked for")
	// ErrDamaged: something cannot be read any more.
	ErrDamaged = errors.New("damaged or lost on the server")
)

// A Repository is where snapshots are kept, as reading them needs it. Its methods
// can be called at once. What is not there is [ErrNotFound].
type Repository interface {
	// Snapshots lists those of a name on the wire, or of all for "": the newest
	// of each name, or all, the newer ones first.
	Snapshots(ctx context.Context, name string, all bool, f func(Listed) error) error
	// Manifest is the sealed manifest of a version, 0 for the newest.
	Manifest(ctx context.Context, name string, version uint32) (uint32, []byte, error)
	// ReadPack reads a range of a pack, less of it only at the pack's end.
	ReadPack(ctx context.Context, id snapshot.PackID, offset int64, length int) ([]byte, error)
	// SnapshotPacks are the packs that a version needs, with their sizes.
	SnapshotPacks(ctx context.Context, name string, version uint32, f func(snapshot.PackID, uint64) error) error
	// Mends are the mend records of a version.
	Mends(ctx context.Context, name string, version uint32) ([][]byte, error)
}

// A Listed is what the server says of a snapshot.
type Listed struct {
	Name    string // on the wire
	Version uint32
	Digest  snapshot.ManifestDigest
	Run     snapshot.RunID
	Head    []byte
	Created time.Time
	Stored  uint64 // bytes of the manifest
	Packs   uint32
	// PackBytes is how much the packs take that it needs, together with others
	// that need them.
	PackBytes uint64
	Damaged   uint32 // of the packs
}

// Keys open an account's snapshots.
type Keys struct {
	Identity age.Identity
	// Of are the keys of a machine, the owner's for the zero MachineID.
	Of func(snapshot.MachineID) (*snapshot.Keys, error)
	// Machines returns the machines that send to the account; nil if there are
	// none. It is called for what the owner's keys do not open, and for labels
	// with an @.
	Machines func(context.Context) ([]Machine, error)
}

// A Summary is a snapshot in a list.
type Summary struct {
	Listed
	snapshot.Head        // its label is followed by @ and the machine, if one wrote it
	From          string // the machine's name; "": the owner
}

// List calls f for each snapshot: of one label, or of all for "". One that was
// not written with the account's keys has bad set, and no head.
func List(ctx context.Context, repo Repository, keys Keys, label string, all bool, f func(s Summary, bad error) error) error {
	writers, err := keys.writers(ctx, repo, label)
	if err != nil {
		return err
	}
	return repo.Snapshots(ctx, writers.name, all, func(l Listed) error {
		s, bad, err := writers.open(ctx, l)
		if err != nil {
			return err
		}
		return f(s, bad)
	})
}

// A Snapshot is one that is read. Safe for concurrent use.
type Snapshot struct {
	*snapshot.Manifest
	Number uint32 // of the version
	Digest snapshot.ManifestDigest
	From   string // the machine that wrote it, which its label ends in; "": the owner

	repo   Repository
	keys   Keys
	name   string
	own    *snapshot.Keys // of the machine that wrote it
	reader *pack.Reader

	mending sync.Mutex
	mended  map[snapshot.ChunkID]snapshot.Place // guarded by mending; nil: not asked for yet
}

// Open opens a version of a label, 0 for the newest.
func Open(ctx context.Context, repo Repository, keys Keys, label string, version uint32) (*Snapshot, error) {
	w, bare, err := keys.writer(ctx, label)
	if err != nil {
		return nil, err
	}
	name := w.keys.WireName(bare)
	number, sealed, err := repo.Manifest(ctx, name, version)
	if err != nil {
		return nil, err
	}
	if version != 0 && number != version {
		return nil, ErrOther
	}
	s := &Snapshot{Number: number, Digest: sha256.Sum256(sealed), repo: repo, keys: keys, name: name}
	s.Manifest, err = snapshot.OpenManifest(sealed, keys.Identity, func(m snapshot.MachineID) (*snapshot.Keys, error) {
		if m != w.keys.Machine() {
			return nil, fmt.Errorf("%w: it comes from another machine than its name says", ErrOther)
		}
		s.own = w.keys
		return s.own, nil
	})
	if err != nil {
		return nil, err
	}
	if s.Label != bare {
		return nil, fmt.Errorf("%w: it is one of %q", ErrOther, s.Label)
	}
	s.Label, s.From = label, w.name
	s.reader, err = pack.NewReader(repo.ReadPack, s.own, keys.Identity)
	return s, err
}

// At is the version of a label that was the newest at a time.
func At(ctx context.Context, repo Repository, keys Keys, label string, t time.Time) (version uint32, err error) {
	err = List(ctx, repo, keys, label, true, func(s Summary, bad error) error {
		if version == 0 && bad == nil && !s.Start.After(t) {
			version = s.Version
		}
		return nil
	})
	if err == nil && version == 0 {
		err = ErrNotFound
	}
	return version, err
}

// Chunk reads a chunk, where a mend record says it is if it is not at its place.
// It returns the pack that places in it may mean as well: the one that it was
// written to.
func (s *Snapshot) Chunk(ctx context.Context, kind snapshot.Kind, p snapshot.Place) ([]byte, snapshot.PackID, error) {
	chunk, err := s.Read(ctx, kind, p)
	if err == nil || ctx.Err() != nil || !errors.Is(err, ErrDamaged) {
		return chunk, p.Pack, err
	}
	other, ok, mendErr := s.Mended(ctx, p.ID)
	if mendErr != nil {
		return nil, p.Pack, mendErr
	}
	if !ok {
		return nil, p.Pack, err
	}
	if chunk, mendErr = s.Read(ctx, kind, other); mendErr != nil {
		return nil, p.Pack, errors.Join(err, mendErr)
	}
	return chunk, p.Pack, nil
}

// Read reads a chunk at a place and nowhere else.
func (s *Snapshot) Read(ctx context.Context, kind snapshot.Kind, p snapshot.Place) ([]byte, error) {
	chunk, err := s.reader.Chunk(ctx, kind, p)
	if err != nil {
		return nil, s.damage(err)
	}
	return chunk, nil
}

// damage says that something is not there as it was written, unless it is the
// connection that failed.
func (s *Snapshot) damage(err error) error {
	if errors.Is(err, pack.ErrDamaged) || errors.Is(err, ErrNotFound) || errors.Is(err, snapshot.ErrMalformed) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// Mended is where a mend record says that a chunk is. It asks the server the
// first time.
func (s *Snapshot) Mended(ctx context.Context, id snapshot.ChunkID) (snapshot.Place, bool, error) {
	s.mending.Lock()
	defer s.mending.Unlock()
	if s.mended == nil {
		records, err := s.repo.Mends(ctx, s.name, s.Number)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return snapshot.Place{}, false, fmt.Errorf("ask what was mended: %w", err)
		}
		s.mended = map[snapshot.ChunkID]snapshot.Place{}
		for _, record := range records {
			places, err := snapshot.OpenMend(record, s.keys.Identity, s.own)
			if err != nil {
				continue // not this account's
			}
			for _, p := range places {
				s.mended[p.ID] = p
			}
		}
	}
	p, ok := s.mended[id]
	return p, ok, nil
}

// Dir calls f for what a folder holds, in the order of names. What f is given is
// its own. A piece that cannot be read is passed to failed, and is the error if
// that is nil.
func (s *Snapshot) Dir(ctx context.Context, dir *snapshot.Entry, failed func(error) error, f func(*snapshot.Entry) error) error {
	var r snapshot.TreeReader
	for _, p := range dir.Subtree {
		piece, self, err := s.Chunk(ctx, snapshot.Tree, p)
		if err == nil {
			err = r.Reset(piece, self)
		}
		if err != nil {
			if failed == nil || ctx.Err() != nil {
				return err
			}
			if err := failed(err); err != nil {
				return err
			}
			continue
		}
		for {
			e := new(snapshot.Entry)
			err := r.Next(e)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if err := f(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pieces calls f for the pieces of a folder's tree, with what each of them holds.
// One that is not where its place says is an error.
func (s *Snapshot) Pieces(ctx context.Context, dir *snapshot.Entry, f func(p snapshot.Place, piece []byte, entries []snapshot.Entry) error) error {
	for _, p := range dir.Subtree {
		piece, err := s.reader.Chunk(ctx, snapshot.Tree, p)
		if err != nil {
			return s.damage(err)
		}
		entries, err := snapshot.DecodeTree(piece, p.Pack)
		if err != nil {
			return err
		}
		if err := f(p, piece, entries); err != nil {
			return err
		}
	}
	return nil
}

// ListPiece is what a list piece, of so many levels, holds.
func (s *Snapshot) ListPiece(ctx context.Context, p snapshot.Place, depth int) ([]snapshot.Place, error) {
	piece, err := s.reader.Chunk(ctx, snapshot.List, p)
	if err != nil {
		return nil, s.damage(err)
	}
	return snapshot.DecodeList(piece, p.Pack, depth)
}

// Find is the entry at a path, with slashes, below the root; "" is the root.
func (s *Snapshot) Find(ctx context.Context, path string) (*snapshot.Entry, error) {
	e := &s.Root
	at := ""
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		if e.Type != snapshot.Dir {
			return nil, fmt.Errorf("%q: %w: %q is no folder", path, ErrNotFound, at)
		}
		found, err := s.in(ctx, e, name)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
		}
		e, at = found, at+"/"+name
	}
	return e, nil
}

// in is what a folder holds of a name, nil if nothing. It reads as few pieces as
// it can.
func (s *Snapshot) in(ctx context.Context, dir *snapshot.Entry, name string) (*snapshot.Entry, error) {
	low, high := 0, len(dir.Subtree)
	for low < high {
		middle := (low + high) / 2
		piece, self, err := s.Chunk(ctx, snapshot.Tree, dir.Subtree[middle])
		if err != nil {
			return nil, err
		}
		entries, err := snapshot.DecodeTree(piece, self)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 || name > entries[len(entries)-1].Name {
			low = middle + 1
			continue
		}
		if name < entries[0].Name {
			high = middle
			continue
		}
		for i := range entries {
			if entries[i].Name == name {
				return &entries[i], nil
			}
		}
		return nil, nil
	}
	return nil, nil
}

// ErrSkip, returned by the function that [Snapshot.Walk] calls for a folder,
// leaves out what it holds.
var ErrSkip = errors.New("skip what the folder holds")

// Walk calls f for an entry and all below it, folders first. Failed receives
// what cannot be read of a folder, and the walk goes on if it returns nil.
func (s *Snapshot) Walk(ctx context.Context, path string, e *snapshot.Entry, failed func(path string, err error) error, f func(path string, e *snapshot.Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f(path, e)
	if errors.Is(err, ErrSkip) {
		return nil
	}
	if err != nil || e.Type != snapshot.Dir {
		return err
	}
	var bad func(error) error
	if failed != nil {
		bad = func(err error) error { return failed(path, err) }
	}
	return s.Dir(ctx, e, bad, func(inner *snapshot.Entry) error {
		return s.Walk(ctx, Join(path, inner.Name), inner, failed, f)
	})
}

// Join is the path of a name in a folder; the root's is "".
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}
