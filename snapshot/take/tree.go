package take

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/bits"
	"reflect"
	"strings"

	"github.com/klauspost/compress/zstd"

	"coffer/snapshot"
	"coffer/snapshot/cache"
)

// errCache: what is remembered of the label cannot be read. The run begins anew
// without it.
var errCache = errors.New("the cache is damaged")

// An assembler writes the trees of folders that changed. It is given changes in
// the order of names, a folder's after those of the folders in it; of a folder
// without changes it writes nothing.
type assembler struct {
	run   *run
	trees *packer
	zstd  *zstd.Decoder
	batch *cache.Batch
	seed  maphash.Seed
	paths map[uint64]struct{} // hashes of the folders that there are
	packs numbers
	lists map[snapshot.ChunkID][]cache.Number // list pieces of this run
	root  snapshot.Entry
	frame []byte
}

func newAssembler(r *run, trees *packer) *assembler {
	return &assembler{
		run: r, trees: trees, batch: cache.NewBatch(r.wireName), seed: maphash.MakeSeed(),
		paths: map[uint64]struct{}{}, lists: map[snapshot.ChunkID][]cache.Number{},
	}
}

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

// maxBatch is how much is remembered of folders at once, in bytes.
const maxBatch = 4 << 20

// assemble writes trees until there are no more changes, and returns the root. Then all
// packs have been handed over.
func (a *assembler) assemble(ctx context.Context) (root snapshot.Entry, err error) {
	if a.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*snapshot.MaxChunk)); err != nil {
		return root, err
	}
	defer a.zstd.Close()
	for {
		select {
		case e, ok := <-a.run.events:
			if !ok {
				return a.finish()
			}
			if err := a.event(ctx, e); err != nil {
				return root, err
			}
		case <-ctx.Done():
			return root, context.Cause(ctx)
		}
	}
}

func (a *assembler) finish() (snapshot.Entry, error) {
	if a.run.opts.DryRun {
		return a.root, nil
	}
	if err := a.trees.flush(nil); err != nil {
		return a.root, err
	}
	for _, places := range [][]snapshot.Place{a.root.Subtree, a.root.Content} {
		for i := range places {
			places[i].Pack = a.trees.real(places[i].Pack)
		}
	}
	return a.root, a.run.cache.Write(a.batch)
}

func (a *assembler) event(ctx context.Context, e event) error {
	switch {
	case e.job != nil:
		return a.job(ctx, e.dir, e.job)
	case a.run.opts.DryRun:
		return nil
	case e.gone != "":
		return a.gone(e.dir, e.gone)
	default:
		return a.leave(e.dir)
	}
}

// job adds a file once its content is in packs.
func (a *assembler) job(ctx context.Context, d *dir, j *job) error {
	select {
	case <-j.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if j.failed != nil {
		a.run.leaveOutJob(j)
		if d == nil {
			return fmt.Errorf("read %s: %w", j.path, j.failed)
		}
		if a.run.opts.DryRun {
			return nil
		}
		return a.gone(d, j.entry.Name)
	}
	if j.entry.Changed {
		a.run.tellChanged(j.path)
	}
	if a.run.opts.DryRun {
		return nil
	}
	entry := j.entry // a job that is done is read by other names of the file
	if err := a.content(ctx, &entry, j.content); err != nil {
		return err
	}
	if d == nil {
		a.root = entry
		return a.quote(&a.packs, &a.root)
	}
	return a.add(d, &entry, j.anew, false)
}

// content gives a file the places of its chunks, once the packs that they are in
// are closed.
func (a *assembler) content(ctx context.Context, entry *snapshot.Entry, chunks []*ref) error {
	if len(chunks) == 0 {
		return nil
	}
	w := snapshot.NewContentWriter(a.list)
	for _, ref := range chunks {
		o, place, err := a.run.data.inPack(ref)
		if err != nil {
			return err
		}
		if o != nil {
			if err := a.wait(ctx, o); err != nil {
				return err
			}
			place.Pack = o.id
		}
		if err := w.Add(place); err != nil {
			return err
		}
	}
	var err error
	entry.Content, entry.Depth, err = w.Close()
	return err
}

// wait waits until a pack is closed. If everything else waits for that as well,
// it is closed as it is.
func (a *assembler) wait(ctx context.Context, o *openPack) error {
	for {
		select {
		case <-o.closed:
			return nil
		default:
		}
		select {
		case <-o.closed:
			return nil
		case <-a.run.pressure:
		case <-a.run.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := a.run.data.flush(o); err != nil {
			return err
		}
	}
}

// list stores a list piece.
func (a *assembler) list(piece []byte) (snapshot.Place, error) {
	place, _, plain, err := a.store(snapshot.List, piece)
	if err != nil {
		return place, err
	}
	self := place.Pack
	var quoted numbers
	places, err := snapshot.DecodeList(plain, self, 1)
	if err != nil {
		if places, err = snapshot.DecodeList(plain, self, 2); err != nil {
			return place, err
		}
	}
	for i := range places {
		if err := a.quotePlace(&quoted, &places[i], places[i].Covers > 0); err != nil {
			return place, err
		}
	}
	a.lists[place.ID] = quoted.numbers()
	return place, a.run.cache.AddList(place.ID, quoted.numbers())
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

// leave finishes a folder, and adds it to the one that it lies in if it is not
// there as it is.
func (a *assembler) leave(d *dir) error {
	a.paths[maphash.String(a.seed, d.path)] = struct{}{}
	t := d.tree
	if t == nil && d.old == nil { // an empty folder
		t = &tree{changed: true}
	}
	var places []snapshot.Place
	switch {
	case t == nil || !t.changed:
		if t != nil {
			if err := a.keep(t, ""); err != nil {
				return err
			}
		}
		var ok bool
		if places, ok = a.run.cache.Places(d.old); !ok {
			return errCache
		}
		a.packs.addAll(d.old.Packs)
		if t != nil && t.dirty {
			a.batch.Add(d.path, &cache.Dir{Listing: t.listing, Pieces: d.old.Pieces, Packs: d.old.Packs})
		}
	default:
		if t.writer != nil {
			if err := a.keep(t, ""); err != nil {
				return err
			}
			if err := t.writer.Close(); err != nil {
				return err
			}
		}
		places = t.places
		packs := t.packs.numbers()
		a.packs.addAll(packs)
		a.batch.Add(d.path, &cache.Dir{Listing: t.listing, Pieces: t.pieces, Packs: packs})
	}
	d.tree = nil
	if a.batch.Size() > maxBatch {
		if err := a.run.cache.Write(a.batch); err != nil {
			return err
		}
	}
	d.entry.Subtree = places
	switch {
	case d.parent == nil:
		a.root = d.entry
		return nil
	case d.same && d.parent.old != nil && (t == nil || !t.changed):
		return nil
	}
	return a.add(d.parent, &d.entry, d.anew, d.same)
}

// quote notes which packs an entry leads to, those of a folder apart.
func (a *assembler) quote(to *numbers, e *snapshot.Entry) error {
	for i := range e.Content {
		if err := a.quotePlace(to, &e.Content[i], e.Depth > 0); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembler) quotePlace(to *numbers, p *snapshot.Place, list bool) error {
	n, err := a.number(p.Pack)
	if err != nil {
		return err
	}
	to.add(n)
	if !list {
		return nil
	}
	packs, ok := a.lists[p.ID]
	if !ok {
		if packs, ok = a.run.cache.List(p.ID); !ok {
			return errCache
		}
	}
	to.addAll(packs)
	return nil
}

// number is that of a pack.
func (a *assembler) number(id snapshot.PackID) (cache.Number, error) {
	if n, ok := isProvisional(id); ok {
		return n, nil
	}
	if n, ok := a.run.data.number(id); ok {
		return n, nil
	}
	if n, ok := a.trees.number(id); ok {
		return n, nil
	}
	if n, ok := a.run.cache.NumberOf(id); ok {
		return n, nil
	}
	return 0, errCache
}

// visited reports whether there is a folder of a path.
func (a *assembler) visited(path string) bool {
	_, ok := a.paths[maphash.String(a.seed, path)]
	return ok
}

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

// provisionalText is how the text of each provisional pack id begins.
var provisionalText = []byte((&openPack{}).provisional().String()[:32])

// isProvisional reports whether a pack has no id yet, and its number.
func isProvisional(id snapshot.PackID) (cache.Number, bool) {
	o := openPack{number: cache.Number(uint32(id[28])<<24 | uint32(id[29])<<16 | uint32(id[30])<<8 | uint32(id[31]))}
	return o.number, o.provisional() == id
}

// rename gives the packs in a piece's table that are closed by now their ids,
// and leaves the open one without, as that of the piece itself.
func (p *packer) rename(piece []byte) (renamed []byte, self bool, err error) {
	end := bytes.IndexByte(piece, '\n')
	if end < 0 || !bytes.Contains(piece[:end], provisionalText) {
		return piece, false, nil
	}
	var table struct {
		Packs []snapshot.PackID `json:"packs"`
	}
	if err := json.Unmarshal(piece[:end], &table); err != nil {
		return nil, false, fmt.Errorf("read the packs of a tree: %w", err)
	}
	var b strings.Builder
	b.WriteString(`{"packs":[`)
	for i, id := range table.Packs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		if id = p.real(id); id != (snapshot.PackID{}) {
			b.WriteString(id.String())
		} else {
			self = true
		}
		b.WriteByte('"')
	}
	b.WriteString("]}")
	return append([]byte(b.String()), piece[end:]...), self, nil
}

// real is the id of a pack that may be provisional, zero for the open one.
func (p *packer) real(id snapshot.PackID) snapshot.PackID {
	n, ok := isProvisional(id)
	if !ok {
		return id
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids[n]
}

// numbers are a set of packs.
type numbers struct{ words []uint64 }

func (s *numbers) add(n cache.Number) {
	word := int(n / 64)
	for len(s.words) <= word {
		s.words = append(s.words, make([]uint64, max(word+1-len(s.words), 1))...)
	}
	s.words[word] |= 1 << (n % 64)
}

func (s *numbers) addAll(list []cache.Number) {
	for _, n := range list {
		s.add(n)
	}
}

// numbers are those in the set, ascending.
func (s *numbers) numbers() []cache.Number {
	var list []cache.Number
	for i, word := range s.words {
		for ; word != 0; word &= word - 1 {
			list = append(list, cache.Number(64*i+bits.TrailingZeros64(word)))
		}
	}
	return list
}
