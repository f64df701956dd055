package take

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"coffer/snapshot"
	"coffer/snapshot/cache"
)

// A tree is that of a folder in which something changed.
type tree struct {
	old     *oldTree // nil: there was none
	changed bool     // it is written anew
	dirty   bool     // the listing is
	listing []byte
	packs   numbers
	writer  *snapshot.TreeWriter
	pieces  []cache.Piece
	places  []snapshot.Place
}

// store packs a tree or list piece if it is new, and returns where it lies, as
// which frame, and what became of it: in it, the packs that were closed by now
// have their ids, and the one that it lies in has none.
func (a *assembler) store(kind snapshot.Kind, piece []byte) (snapshot.Place, []byte, []byte, error) {
	piece, self, err := a.trees.rename(piece)
	if err != nil {
		return snapshot.Place{}, nil, nil, err
	}
	id := a.run.keys.Keys.ChunkID(kind, piece)
	a.frame = a.run.zstd.Compress(a.frame[:0], piece)
	frame := bytes.Clone(a.frame)
	r, mine := &ref{}, true
	if !self { // what names the pack that it lies in means another one elsewhere
		r, mine = a.trees.claim(id)
	}
	if mine {
		if err := a.trees.add(r, id, len(piece), frame); err != nil {
			return snapshot.Place{}, nil, nil, err
		}
	}
	o, place, err := a.trees.inPack(r)
	if o != nil {
		place.Pack = o.provisional()
	}
	return place, frame, piece, err
}

// open begins to change a folder.
func (a *assembler) open(d *dir) (*tree, error) {
	if d.tree != nil {
		return d.tree, nil
	}
	d.tree = &tree{}
	if d.old == nil {
		a.change(d.tree, nil)
		return d.tree, nil
	}
	if !a.run.cache.Frames(a.run.wireName, d.path, d.old) {
		return nil, errCache
	}
	var err error
	d.tree.old, err = a.read(d.old)
	return d.tree, err
}

// add adds an entry to a folder, in place of the one of its name if there is one.
// Same says that it has the extended attributes of that one.
func (a *assembler) add(d *dir, e *snapshot.Entry, anew, same bool) error {
	t, err := a.open(d)
	if err != nil {
		return err
	}
	if err := a.keep(t, e.Name); err != nil {
		return err
	}
	if t.old != nil && t.old.is(e.Name) {
		if same {
			e.Xattrs = t.old.entry.Xattrs
		}
		equal := !t.changed && reflect.DeepEqual(*e, t.old.entry)
		if err := t.old.next(); err != nil {
			return err
		}
		if equal {
			t.dirty = true
			t.look(e, anew)
			return nil
		}
	}
	if !t.changed {
		if err := a.change(t, &e.Name); err != nil {
			return err
		}
	}
	if err := t.writer.Add(e); err != nil {
		if !errors.Is(err, snapshot.ErrTooLarge) && !errors.Is(err, snapshot.ErrMalformed) {
			return err
		}
		a.run.leaveOutEntry(d.path+"/"+e.Name, err)
		return nil
	}
	t.look(e, anew)
	return a.quote(&t.packs, e)
}

func (t *tree) look(e *snapshot.Entry, anew bool) {
	look := cache.LookOf(e, anew)
	t.listing = cache.AppendLook(t.listing, &look)
}

// gone drops an entry from a folder.
func (a *assembler) gone(d *dir, name string) error {
	t, err := a.open(d)
	if err != nil {
		return err
	}
	if err := a.keep(t, name); err != nil {
		return err
	}
	if t.old == nil || !t.old.is(name) {
		return nil // it was left out before as well
	}
	if !t.changed {
		if err := a.change(t, &name); err != nil {
			return err
		}
	}
	return t.old.next()
}

// keep takes over what there was before a name; "" takes over all.
func (a *assembler) keep(t *tree, name string) error {
	for t.old != nil && t.old.before(name) {
		if err := a.take(t, &t.old.entry); err != nil {
			return err
		}
		t.listing = cache.AppendLook(t.listing, &t.old.look)
		if err := t.old.next(); err != nil {
			return err
		}
	}
	return nil
}

// take takes an old entry over, if the tree is written anew.
func (a *assembler) take(t *tree, e *snapshot.Entry) error {
	if !t.changed {
		return nil
	}
	if err := t.writer.Add(e); err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	return a.quote(&t.packs, e)
}

// change has a tree written anew: first what there was before a name.
func (a *assembler) change(t *tree, name *string) error {
	t.changed = true
	t.writer = snapshot.NewTreeWriter(a.run.keys.Keys, func(piece []byte) error {
		place, frame, _, err := a.store(snapshot.Tree, piece)
		if err != nil {
			return err
		}
		n, err := a.number(place.Pack)
		if err != nil {
			return err
		}
		t.places = append(t.places, place)
		t.pieces = append(t.pieces, cache.Piece{Pack: n, Place: place, Frame: frame})
		t.packs.add(n)
		return nil
	})
	if t.old == nil {
		return nil
	}
	again, err := a.read(t.old.dir)
	if err != nil {
		return err
	}
	for again.before(*name) {
		if err := a.take(t, &again.entry); err != nil {
			return err
		}
		if err := again.next(); err != nil {
			return err
		}
	}
	return nil
}
