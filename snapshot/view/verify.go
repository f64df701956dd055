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
}

// A Problem is something that cannot be restored.
type Problem struct {
	Path string // in the snapshot; "" is the snapshot itself
	Err  error
}

// maxProblems is how many are named.
const maxProblems = 1000

func (v *Verified) add(path string, err error) {
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
	users := map[snapshot.PackID][]string{} // of packs that are read: some of what needs them
	quote := func(path string, p snapshot.Place) {
		needed[p.Pack] = true
		if data.has(p.Pack) && len(users[p.Pack]) < 20 && !slices.Contains(users[p.Pack], path) {
			users[p.Pack] = append(users[p.Pack], path)
		}
	}
	bad := func(path string, err error) error {
		if ctx.Err() != nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, snapshot.ErrMalformed) {
			return err
		}
		v.add(path, err)
		return nil
	}
	err := s.Walk(ctx, "", &s.Root, bad, func(path string, e *snapshot.Entry) error {
		v.Entries++
		for _, p := range e.Subtree {
			quote(path, p)
		}
		err := snapshot.WalkContent(e, 0, func(p snapshot.Place) ([]byte, snapshot.PackID, error) {
			quote(path, p)
			return s.Chunk(ctx, snapshot.List, p)
		}, func(p snapshot.Place, _ uint64) error {
			quote(path, p)
			return nil
		})
		if err != nil {
			return bad(path, err)
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	v.Packs = uint32(len(needed))
	if err := s.comparePacks(ctx, needed, &v); err != nil {
		return v, err
	}
	return v, s.readPacks(ctx, needed, users, data, &v, progress)
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

// readPacks reads the packs of a slice in full.
func (s *Snapshot) readPacks(ctx context.Context, needed map[snapshot.PackID]bool, users map[snapshot.PackID][]string, data Slice, v *Verified, progress func(done, total uint64)) error {
	var ids []snapshot.PackID
	for id := range needed {
		if data.has(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b snapshot.PackID) int { return bytes.Compare(a[:], b[:]) })
	for i, id := range ids {
		sealed, err := s.repo.ReadPack(ctx, id, 0, snapshot.MaxPack)
		if err == nil {
			err = pack.Verify(bytes.NewReader(sealed), id)
		}
		switch {
		case err == nil:
			v.ReadPacks++
			v.ReadBytes += uint64(len(sealed))
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, pack.ErrDamaged), errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
			for _, path := range users[id] {
				v.add(path, fmt.Errorf("%w: %w", ErrDamaged, err))
			}
		default:
			return err
		}
		if progress != nil {
			progress(uint64(i+1), uint64(len(ids)))
		}
	}
	return nil
}
