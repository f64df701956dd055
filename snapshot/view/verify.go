package view

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"coffer/snapshot"
	"coffer/snapshot/pack"
)

// A Slice is a part of all packs: the N-th of Of, counted from 1. The zero Slice
// has none.
type Slice struct{ N, Of uint32 }

// has reports whether a pack is in the slice: each is in one of them, always the
// same.
func (s Slice) has(id snapshot.PackID) bool {
	return s.Of > 0 && binary.BigEndian.Uint32(id[:])%s.Of == s.N-1
}

// Verified is what verifying a snapshot found.
type Verified struct {
	Entries   uint64
	Packs     uint32 // that it needs
	ReadPacks uint32 // whose content was read and found right
	ReadBytes uint64
	// Problems are what is wrong, the first ones; Bad counts all.
	Problems []Problem
	Bad      uint64
	// BadPacks are the packs that were read and found damaged.
	BadPacks []snapshot.PackID
	named    map[string]bool // paths of Problems
}

// A Problem is something that cannot be restored.
type Problem struct {
	Path string // in the snapshot; "" is the snapshot itself
	Err  error
}

// maxProblems is how many are named.
const maxProblems = 1000

func (v *Verified) add(path string, err error) {
	if path != "" && v.named[path] {
		return
	}
	if v.named == nil {
		v.named = map[string]bool{}
	}
	v.named[path] = true
	v.Bad++
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, Problem{path, err})
	}
}

// Verify reads all trees of a snapshot, compares the packs that they name with
// what the manifest and the server say it needs, and reads a slice of the packs.
// Its error is one of the connection; what is wrong is in the result.
func (s *Snapshot) Verify(ctx context.Context, data Slice, progress func(done, total uint64)) (Verified, error) {
	var v Verified
	needed := map[snapshot.PackID]bool{}
	bad := func(path string, err error) error {
		if ctx.Err() != nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, snapshot.ErrMalformed) {
			return err
		}
		v.add(path, err)
		return nil
	}
	err := s.quotes(ctx, bad, func(path string, p snapshot.Place) error {
		needed[p.Pack] = true
		return nil
	}, func() { v.Entries++ })
	if err != nil {
		return v, err
	}
	v.Packs = uint32(len(needed))
	if err := s.comparePacks(ctx, needed, &v); err != nil {
		return v, err
	}
	broken, err := s.readPacks(ctx, needed, data, &v, progress)
	if err != nil || len(broken) == 0 {
		return v, err
	}
	v.BadPacks = slices.Collect(maps.Keys(broken))
	return v, s.nameBroken(ctx, broken, &v)
}

// quotes calls f for each place that the snapshot's trees name, with the path of
// what needs it.
func (s *Snapshot) quotes(ctx context.Context, bad func(string, error) error, f func(path string, p snapshot.Place) error, entry func()) error {
	return s.Walk(ctx, "", &s.Root, bad, func(path string, e *snapshot.Entry) error {
		entry()
		for _, p := range e.Subtree {
			if err := f(path, p); err != nil {
				return err
			}
		}
		err := snapshot.WalkContent(e, 0, func(p snapshot.Place) ([]byte, snapshot.PackID, error) {
			if err := f(path, p); err != nil {
				return nil, p.Pack, err
			}
			return s.Chunk(ctx, snapshot.List, p)
		}, func(p snapshot.Place, _ uint64) error { return f(path, p) })
		if err != nil {
			return bad(path, err)
		}
		return nil
	})
}

// nameBroken names what needs chunks of broken packs that no mend record has
// elsewhere. The packs that the others are in are read as well.
func (s *Snapshot) nameBroken(ctx context.Context, broken map[snapshot.PackID]error, v *Verified) error {
	checked := maps.Clone(broken)
	ignore := func(string, error) error { return nil } // it was named before
	return s.quotes(ctx, ignore, func(path string, p snapshot.Place) error {
		cause := broken[p.Pack]
		if cause == nil {
			return nil
		}
		other, ok, err := s.Mended(ctx, p.ID)
		if err != nil {
			return err
		}
		if ok {
			if _, known := checked[other.Pack]; !known {
				if _, checked[other.Pack], err = s.readPack(ctx, other.Pack); err != nil {
					return err
				}
			}
			cause = checked[other.Pack]
		}
		if cause != nil {
			v.add(path, fmt.Errorf("%w: %w", ErrDamaged, cause))
		}
		return nil
	}, func() {})
}

// readPack reads a pack in full. Broken is what is wrong with it.
func (s *Snapshot) readPack(ctx context.Context, id snapshot.PackID) (size int, broken, err error) {
	sealed, err := s.repo.ReadPack(ctx, id, 0, snapshot.MaxPack)
	if err == nil {
		err = pack.Verify(bytes.NewReader(sealed), id)
	}
	switch {
	case err == nil:
		return len(sealed), nil, nil
	case ctx.Err() != nil:
		return 0, nil, ctx.Err()
	case errors.Is(err, pack.ErrDamaged), errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		return 0, err, nil
	}
	return 0, nil, err
}

// comparePacks holds the packs that trees name against what the manifest says,
// and against what the server keeps for the snapshot.
func (s *Snapshot) comparePacks(ctx context.Context, needed map[snapshot.PackID]bool, v *Verified) error {
	ids := slices.SortedFunc(maps.Keys(needed), func(a, b snapshot.PackID) int { return bytes.Compare(a[:], b[:]) })
	if v.Bad == 0 && snapshot.DigestPacks(slices.Values(ids)) != s.Packs {
		v.add("", fmt.Errorf("%w: its trees need other packs than its manifest says", ErrDamaged))
	}
	there := map[snapshot.PackID]bool{}
	err := s.repo.SnapshotPacks(ctx, s.name, s.Number, func(id snapshot.PackID, _ uint64) error {
		there[id] = true
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !there[id] {
			v.add("", fmt.Errorf("%w: the server does not keep pack %s for it", ErrDamaged, id.Hex()))
		}
	}
	return nil
}

// readPacks reads the packs of a slice in full, and returns which are broken.
func (s *Snapshot) readPacks(ctx context.Context, needed map[snapshot.PackID]bool, data Slice, v *Verified, progress func(done, total uint64)) (map[snapshot.PackID]error, error) {
	var ids []snapshot.PackID
	for id := range needed {
		if data.has(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b snapshot.PackID) int { return bytes.Compare(a[:], b[:]) })
	broken := map[snapshot.PackID]error{}
	for i, id := range ids {
		size, wrong, err := s.readPack(ctx, id)
		if err != nil {
			return nil, err
		}
		if wrong != nil {
			broken[id] = wrong
		} else {
			v.ReadPacks++
			v.ReadBytes += uint64(size)
		}
		if progress != nil {
			progress(uint64(i+1), uint64(len(ids)))
		}
	}
	return broken, nil
}
