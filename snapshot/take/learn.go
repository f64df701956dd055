package take

import (
	"context"
	"errors"
	"path"
	"strings"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/pack"
	"coffer/snapshot/view"
)

// Learn has a cache remember the newest snapshot of a label as if it had been
// made here: where its chunks are, and what its folders held. It reads the trees
// and no content. A label without snapshots is no error.
func Learn(ctx context.Context, repo view.Repository, keys view.Keys, c *cache.Cache, label string) error {
	s, err := view.Open(ctx, repo, keys, label, 0)
	if errors.Is(err, view.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	own, err := keys.Of(s.Machine)
	if err != nil {
		return err
	}
	zstd, err := pack.NewCompressor(1)
	if err != nil {
		return err
	}
	l := &learner{
		ctx: ctx, s: s, cache: c, zstd: zstd, batch: cache.NewBatch(own.WireName(label)),
		numbers: map[snapshot.PackID]cache.Number{}, places: map[snapshot.PackID][]snapshot.Place{},
	}
	if err := l.root(); err != nil {
		return err
	}
	if err := errors.Join(l.flush(), c.Write(l.batch)); err != nil {
		return err
	}
	return c.SetSnapshot(own.WireName(label), cache.Snapshot{
		Version: s.Number, Digest: s.Digest, Packs: l.all.numbers(), Source: s.Source, Dirs: l.dirs,
	})
}

// A learner reads one snapshot's trees into a cache.
type learner struct {
	ctx     context.Context
	s       *view.Snapshot
	cache   *cache.Cache
	zstd    *pack.Compressor
	batch   *cache.Batch
	numbers map[snapshot.PackID]cache.Number
	places  map[snapshot.PackID][]snapshot.Place // not in the cache yet
	held    int
	all     numbers
	dirs    int
}

func (l *learner) root() error {
	if l.s.Root.Type != snapshot.Dir {
		var packs numbers
		return l.entry(&packs, &l.s.Root)
	}
	return l.dir(rootPath(l.s.Paths), &l.s.Root)
}

// rootPath is the folder that a snapshot of some paths is one of.
func rootPath(paths []string) string {
	if len(paths) == 1 {
		return paths[0]
	}
	if len(paths) == 0 {
		return ""
	}
	common := path.Dir(paths[0])
	for _, p := range paths {
		for p != common && !strings.HasPrefix(p, strings.TrimSuffix(common, "/")+"/") {
			common = path.Dir(common)
		}
	}
	return common
}

// dir reads a folder and all below it.
func (l *learner) dir(at string, e *snapshot.Entry) error {
	l.dirs++
	var d cache.Dir
	var packs numbers
	err := l.s.Pieces(l.ctx, e, func(p snapshot.Place, piece []byte, entries []snapshot.Entry) error {
		n := l.place(p)
		packs.add(n)
		d.Pieces = append(d.Pieces, cache.Piece{Pack: n, Place: p, Frame: l.zstd.Compress(nil, piece)})
		for i := range entries {
			inner := &entries[i]
			look := cache.LookOf(inner, inner.Changed || inner.Error != "" || !inner.CTime.Known)
			d.Listing = cache.AppendLook(d.Listing, &look)
			if err := l.entry(&packs, inner); err != nil {
				return err
			}
			if inner.Type != snapshot.Dir {
				continue
			}
			if err := l.dir(strings.TrimSuffix(at, "/")+"/"+inner.Name, inner); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.Packs = packs.numbers()
	l.all.addAll(d.Packs)
	l.batch.Add(at, &d)
	if l.batch.Size() > maxBatch {
		return l.cache.Write(l.batch)
	}
	return nil
}

// entry notes the chunks of an entry.
func (l *learner) entry(packs *numbers, e *snapshot.Entry) error {
	defer func() { l.all.addAll(packs.numbers()) }()
	return l.content(packs, e.Content, e.Depth)
}

func (l *learner) content(packs *numbers, places []snapshot.Place, depth int) error {
	for _, p := range places {
		packs.add(l.place(p))
		if depth == 0 {
			continue
		}
		below, err := l.s.ListPiece(l.ctx, p, depth)
		if err != nil {
			return err
		}
		var quoted numbers
		if err := l.content(&quoted, below, depth-1); err != nil {
			return err
		}
		if err := l.cache.AddList(p.ID, quoted.numbers()); err != nil {
			return err
		}
		packs.addAll(quoted.numbers())
	}
	if l.held > maxHeld {
		return l.flush()
	}
	return nil
}

// maxHeld is how many places are kept until they are remembered.
const maxHeld = 50_000

// place notes where a chunk is, and returns the number of its pack.
func (l *learner) place(p snapshot.Place) cache.Number {
	n, ok := l.numbers[p.Pack]
	if !ok {
		if n, ok = l.cache.NumberOf(p.Pack); !ok {
			n = l.cache.Reserve()
		}
		l.numbers[p.Pack] = n
	}
	p.Covers = 0
	l.places[p.Pack] = append(l.places[p.Pack], p)
	l.held++
	return n
}

// flush has the cache remember places.
func (l *learner) flush() error {
	for id, places := range l.places {
		if err := l.cache.AddPack(l.numbers[id], id, places); err != nil {
			return err
		}
	}
	clear(l.places)
	l.held = 0
	return nil
}
