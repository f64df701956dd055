package mend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"coffer/snapshot"
	"coffer/snapshot/view"
)

// A walker looks through one version for chunks in lost packs.
type walker struct {
	*mender
	s     *view.Snapshot
	found map[snapshot.ChunkID]bool // elsewhere, so that a record is to name them
	v     Version
}

// A state is what became of a chunk.
type state uint8

const (
	whole  state = iota // where it was, or mended before
	mended              // elsewhere
	lost
)

// ask asks which packs of the version are lost.
func (w *walker) ask(ctx context.Context, name string) error {
	var ids []snapshot.PackID
	err := w.repo.SnapshotPacks(ctx, name, w.s.Number, func(id snapshot.PackID, _ uint64) error {
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list its packs: %w", err)
	}
	for some := range slices.Chunk(ids, maxPacks) {
		missing, err := w.repo.Missing(ctx, w.run, some)
		if err != nil {
			return fmt.Errorf("ask which of its packs are lost: %w", err)
		}
		for _, id := range missing {
			w.bad[id] = true
		}
	}
	return nil
}

// entry looks through a file, or a folder and all in it.
func (w *walker) entry(ctx context.Context, e *snapshot.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	worst := whole
	note := func(s state) { worst = max(worst, s) }
	var err error
	if e.Type == snapshot.Dir {
		err = w.dir(ctx, e, note)
	} else {
		err = w.content(ctx, e, note)
	}
	switch {
	case err != nil:
		return err
	case worst == lost:
		w.v.Lost++
	case worst == mended && e.Type == snapshot.Dir:
		w.v.Folders++
	case worst == mended:
		w.v.Files++
	}
	return nil
}

// content looks at the chunks of a file.
func (w *walker) content(ctx context.Context, e *snapshot.Entry, note func(state)) error {
	err := snapshot.WalkContent(e, 0, func(p snapshot.Place) ([]byte, snapshot.PackID, error) {
		piece, s, err := w.read(ctx, snapshot.List, p)
		note(s)
		if err == nil && piece == nil {
			err = errLost
		}
		return piece, p.Pack, err
	}, func(p snapshot.Place, _ uint64) error {
		s, err := w.look(ctx, p)
		note(s)
		return err
	})
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

// errLost ends the walk through a file one of whose lists is lost.
var errLost = errors.New("a list is lost")

// dir looks at the pieces of a folder, and through all that is in it.
func (w *walker) dir(ctx context.Context, dir *snapshot.Entry, note func(state)) error {
	var r snapshot.TreeReader
	for _, p := range dir.Subtree {
		piece, s, err := w.read(ctx, snapshot.Tree, p)
		if err != nil {
			return err
		}
		note(s)
		if piece == nil {
			continue
		}
		if err := r.Reset(piece, p.Pack); err != nil {
			return err
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
			if err := w.entry(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// look says what became of a chunk. One that is elsewhere is found.
func (w *walker) look(ctx context.Context, p snapshot.Place) (state, error) {
	if !w.bad[p.Pack] {
		return whole, nil
	}
	other, ok, err := w.s.Mended(ctx, p.ID)
	if err != nil {
		return lost, err
	}
	if ok && !w.bad[other.Pack] {
		return whole, nil
	}
	if w.found[p.ID] {
		return mended, nil
	}
	if place, ok := w.cache.Chunk(p.ID); !ok || w.bad[place.Pack] {
		if ok, err := w.remake(ctx, p.ID); !ok {
			return lost, err
		}
	}
	w.found[p.ID] = true
	return mended, nil
}

// read reads a piece of a tree or a list, nil if it is lost.
func (w *walker) read(ctx context.Context, kind snapshot.Kind, p snapshot.Place) ([]byte, state, error) {
	s, err := w.look(ctx, p)
	if err != nil || s == lost {
		return nil, s, err
	}
	if s == whole {
		piece, _, err := w.s.Chunk(ctx, kind, p)
		if err == nil || !errors.Is(err, view.ErrDamaged) || w.bad[p.Pack] {
			return piece, s, notDamage(err)
		}
		// The server does not know that this pack is damaged.
		w.bad[p.Pack] = true
		return w.read(ctx, kind, p)
	}
	if plain := w.remade.plain[p.ID]; plain != nil {
		return plain, s, nil
	}
	place, ok := w.cache.Chunk(p.ID)
	if !ok {
		return nil, lost, nil
	}
	piece, err := w.s.Read(ctx, kind, place)
	if errors.Is(err, view.ErrDamaged) {
		delete(w.found, p.ID)
		return nil, lost, nil
	}
	return piece, s, err
}

func notDamage(err error) error {
	if errors.Is(err, view.ErrDamaged) {
		return nil
	}
	return err
}
