// Package mend has older snapshots restore again whose packs were lost or
// damaged.
//
// A lost pack cannot be made again, because sealing is random. But chunks that
// it held may be elsewhere by now: a backup stores anew what it still finds, and
// the cache remembers what trees held. Each snapshot concerned gets a record of
// where its chunks are.
package mend

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/view"
)

// A Repository is where snapshots are kept, as mending needs it.
type Repository interface {
	view.Repository
	// Begin begins a run, which pins the packs of a version; 0 is none.
	Begin(ctx context.Context, run snapshot.RunID, name string, base uint32) error
	// Missing are those of some packs that are lost or damaged. The others are
	// pinned.
	Missing(ctx context.Context, run snapshot.RunID, packs []snapshot.PackID) ([]snapshot.PackID, error)
	// Put returns once a pack is on stable storage.
	Put(ctx context.Context, run snapshot.RunID, id snapshot.PackID, sealed []byte) error
	// Mend adds a mend record to a version, which needs the packs from then on,
	// or says which of them are missing.
	Mend(ctx context.Context, m Record) (missing []snapshot.PackID, err error)
	// End ends a run.
	End(ctx context.Context, run snapshot.RunID) error
}

// A Record is a sealed mend record on its way to a version.
type Record struct {
	Run     snapshot.RunID
	Name    string // on the wire
	Version uint32
	Sealed  []byte
	Packs   []snapshot.PackID // that it names
}

// Keys are who snapshots are mended for.
type Keys struct {
	view.Keys
	Recipient age.Recipient
}

// A Version is what was mended of a snapshot.
type Version struct {
	Label          string
	Number         uint32
	Files, Folders uint64 // that restore again
	Lost           uint64 // files and folders that still do not
}

// ErrMissing: packs that chunks were found in are not on the server either.
var ErrMissing = errors.New("packs that are needed for mending are missing")

// Snapshots mends all snapshots of the owner that the server knows to need
// damaged packs, with chunks that are where the cache says. If nothing was lost
// since it was done last, it asks the server nothing.
func Snapshots(ctx context.Context, repo Repository, keys Keys, remembered *cache.Cache) ([]Version, error) {
	if !remembered.Lost() {
		return nil, nil
	}
	var damaged []view.Summary
	err := view.List(ctx, repo, keys.Keys, "", true, func(s view.Summary, bad error) error {
		if bad == nil && s.Damaged > 0 && s.Machine == nil {
			damaged = append(damaged, s)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list what needs mending: %w", err)
	}
	var versions []Version
	if len(damaged) > 0 {
		if versions, err = mendAll(ctx, repo, keys, remembered, damaged); err != nil {
			return versions, err
		}
	}
	return versions, remembered.Mended()
}

func mendAll(ctx context.Context, repo Repository, keys Keys, remembered *cache.Cache, damaged []view.Summary) (versions []Version, err error) {
	own, err := keys.Of(snapshot.MachineID{})
	if err != nil {
		return nil, err
	}
	m := &mender{repo: repo, keys: keys, own: own, cache: remembered, bad: map[snapshot.PackID]bool{}}
	if m.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(snapshot.MaxChunk)); err != nil {
		return nil, err
	}
	defer m.zstd.Close()
	_, _ = rand.Read(m.run[:]) // never fails
	if err := repo.Begin(ctx, m.run, damaged[0].Name, 0); err != nil {
		return nil, fmt.Errorf("begin to mend: %w", err)
	}
	for _, s := range damaged {
		v, err := m.version(ctx, s)
		if errors.Is(err, view.ErrNotFound) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return versions, fmt.Errorf("mend version %d of %q: %w", s.Version, s.Label, err)
		}
		if v.Files+v.Folders+v.Lost > 0 {
			versions = append(versions, v)
		}
	}
	return versions, repo.End(ctx, m.run)
}

// A mender mends one version after another.
type mender struct {
	// static after construction
	repo  Repository
	keys  Keys
	own   *snapshot.Keys
	cache *cache.Cache
	zstd  *zstd.Decoder
	run   snapshot.RunID

	bad    map[snapshot.PackID]bool // of the versions so far
	remade remade
}

// version mends one version.
func (m *mender) version(ctx context.Context, listed view.Summary) (Version, error) {
	s, err := view.Open(ctx, m.repo, m.keys.Keys, listed.Label, listed.Version)
	if err != nil {
		return Version{}, err
	}
	w := &walker{mender: m, s: s, found: map[snapshot.ChunkID]bool{}}
	w.v = Version{Label: listed.Label, Number: listed.Version}
	if err := w.ask(ctx, listed.Name); err != nil {
		return w.v, err
	}
	if err := w.entry(ctx, &s.Root); err != nil {
		return w.v, err
	}
	if err := m.flush(ctx); err != nil {
		return w.v, err
	}
	return w.v, m.records(ctx, listed, w.found)
}

// records adds to a version where the chunks are that were found elsewhere.
func (m *mender) records(ctx context.Context, listed view.Summary, found map[snapshot.ChunkID]bool) error {
	places := make([]snapshot.Place, 0, len(found))
	for id := range found {
		place, ok := m.cache.Chunk(id)
		if !ok {
			return fmt.Errorf("%w: the cache forgot a chunk", ErrMissing)
		}
		places = append(places, place)
	}
	slices.SortFunc(places, func(a, b snapshot.Place) int {
		return cmp.Or(bytes.Compare(a.Pack[:], b.Pack[:]), cmp.Compare(a.Offset, b.Offset))
	})
	for len(places) > 0 {
		n, packs := fits(places)
		sealed, err := snapshot.SealMend(places[:n], m.own, m.keys.Recipient)
		if err != nil {
			return err
		}
		missing, err := m.repo.Mend(ctx, Record{Run: m.run, Name: listed.Name, Version: listed.Version, Sealed: sealed, Packs: packs})
		if err != nil {
			return fmt.Errorf("add a mend record: %w", err)
		}
		if len(missing) > 0 {
			return errors.Join(ErrMissing, m.cache.Forget(missing))
		}
		places = places[n:]
	}
	return nil
}

// maxPacks is how many packs a record names at most, as the server accepts it.
const maxPacks = 2000

// fits is how many of the places, sorted by pack, go into one record, and the
// packs that they are in.
func fits(places []snapshot.Place) (n int, packs []snapshot.PackID) {
	for n < min(len(places), snapshot.MaxMendPlaces) {
		if id := places[n].Pack; len(packs) == 0 || packs[len(packs)-1] != id {
			if len(packs) == maxPacks {
				break
			}
			packs = append(packs, id)
		}
		n++
	}
	return n, packs
}
