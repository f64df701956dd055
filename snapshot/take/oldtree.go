package take

import (
	"errors"
	"fmt"
	"io"

	"coffer/snapshot"
	"coffer/snapshot/cache"
)

// An oldTree reads what a folder held, in the order of names, with what is
// remembered for comparing.
type oldTree struct {
	a       *assembler
	dir     *cache.Dir
	piece   int // the next one to be read
	reader  snapshot.TreeReader
	listing *cache.Listing
	entry   snapshot.Entry
	look    cache.Look
	more    bool
	began   bool
}

func (a *assembler) read(d *cache.Dir) (*oldTree, error) {
	o := &oldTree{a: a, dir: d, listing: cache.NewListing(d.Listing)}
	return o, o.next()
}

func (o *oldTree) is(name string) bool { return o.more && o.entry.Name == name }

// before reports whether the current entry comes before a name; "" is the end.
func (o *oldTree) before(name string) bool { return o.more && (name == "" || o.entry.Name < name) }

func (o *oldTree) next() error {
	for {
		err := io.EOF
		if o.began {
			err = o.reader.Next(&o.entry)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: %w", errCache, err)
		}
		if o.piece == len(o.dir.Pieces) {
			if name, _ := o.listing.Peek(); name != nil {
				return errCache
			}
			o.more = false
			return nil
		}
		if err := o.nextPiece(); err != nil {
			return err
		}
	}
	name, look := o.listing.Peek()
	if name == nil || string(name) != o.entry.Name {
		return errCache
	}
	o.look = *look
	o.look.Name = o.entry.Name
	o.listing.Next()
	o.more = true
	return nil
}

func (o *oldTree) nextPiece() error {
	p := &o.dir.Pieces[o.piece]
	o.piece++
	self, ok := o.a.run.cache.PackOf(p.Pack)
	if !ok {
		return errCache
	}
	plain, err := o.a.zstd.DecodeAll(p.Frame, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	if o.a.run.keys.Keys.ChunkID(snapshot.Tree, plain) != p.Place.ID {
		return errCache
	}
	o.began = true
	if err := o.reader.Reset(plain, self); err != nil {
		return fmt.Errorf("%w: %w", errCache, err)
	}
	return nil
}
