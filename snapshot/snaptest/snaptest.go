// Package snaptest is a repository of snapshots in memory, for tests of packages
// that make and read them. It can lose and damage what it keeps.
package snaptest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"coffer/snapshot"
	"coffer/snapshot/mend"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// A Repository keeps snapshots in memory. Safe for concurrent use.
type Repository struct {
	mu       sync.Mutex
	packs    map[snapshot.PackID][]byte
	versions map[string][]Version
	pinned   map[snapshot.RunID]map[snapshot.PackID]bool
	removed  map[string]uint32 // the newest version that there ever was

	// What was asked since it was set to 0.
	Puts, PutBytes, Reads, ReadBytes, Lists int
	// BeforeCommit, if not nil, is called before each commit.
	BeforeCommit func(take.Commit)
	// PutErr, if not nil, is what puts fail with.
	PutErr error
}

// A Version is a snapshot as the server has it.
type Version struct {
	Number         uint32
	Run            snapshot.RunID
	Head, Manifest []byte
	Packs          map[snapshot.PackID]bool
	Mends          [][]byte
	MendPacks      map[snapshot.PackID]bool
}

// needs are the packs of a version and of its mends.
func (v *Version) needs() map[snapshot.PackID]bool {
	all := maps.Clone(v.Packs)
	maps.Copy(all, v.MendPacks)
	return all
}

// New is an empty repository.
func New() *Repository {
	return &Repository{
		packs: map[snapshot.PackID][]byte{}, versions: map[string][]Version{},
		pinned: map[snapshot.RunID]map[snapshot.PackID]bool{}, removed: map[string]uint32{},
	}
}

func digest(b []byte) snapshot.ManifestDigest { return sha256.Sum256(b) }

// Newest is the newest version of a name.
func (r *Repository) Newest(_ context.Context, name string) (*take.Newest, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.versions[name]
	if len(list) == 0 {
		return nil, nil
	}
	v := list[len(list)-1]
	return &take.Newest{Version: v.Number, Digest: digest(v.Manifest), Run: v.Run, Head: v.Head}, nil
}

func (r *Repository) find(name string, version uint32) *Version {
	list := r.versions[name]
	for i := range list {
		if list[i].Number == version || version == 0 && i == len(list)-1 {
			return &list[i]
		}
	}
	return nil
}

// Begin begins a run.
func (r *Repository) Begin(_ context.Context, run snapshot.RunID, name string, base uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pinned[run] = map[snapshot.PackID]bool{}
	if base == 0 {
		return nil
	}
	v := r.find(name, base)
	if v == nil {
		return view.ErrNotFound
	}
	for id := range v.Packs {
		r.pinned[run][id] = true
	}
	return nil
}

// Missing are those of some packs that are not there.
func (r *Repository) Missing(_ context.Context, run snapshot.RunID, packs []snapshot.PackID) (missing []snapshot.PackID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range packs {
		if !r.whole(id) {
			missing = append(missing, id)
		} else {
			r.pinned[run][id] = true
		}
	}
	return missing, nil
}

// Put keeps a pack.
func (r *Repository) Put(_ context.Context, run snapshot.RunID, id snapshot.PackID, sealed []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.PutErr != nil {
		return r.PutErr
	}
	if sha256.Sum256(sealed) != id || len(sealed) > snapshot.MaxPack {
		return fmt.Errorf("a pack of %d bytes that is not %s", len(sealed), id)
	}
	r.packs[id] = bytes.Clone(sealed)
	r.pinned[run][id] = true
	r.Puts++
	r.PutBytes += len(sealed)
	return nil
}

// Commit makes the next version.
func (r *Repository) Commit(_ context.Context, c take.Commit) (uint32, []snapshot.PackID, error) {
	if r.BeforeCommit != nil {
		r.BeforeCommit(c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var newest uint32
	if list := r.versions[c.Name]; len(list) > 0 {
		newest = list[len(list)-1].Number
	}
	if newest != c.Before {
		return 0, nil, take.ErrConflict
	}
	packs := map[snapshot.PackID]bool{}
	if c.Base != 0 {
		v := r.find(c.Name, c.Base)
		if v == nil {
			return 0, nil, view.ErrNotFound
		}
		for id := range v.Packs {
			packs[id] = true
		}
	}
	for _, id := range c.Dropped {
		if !packs[id] {
			return 0, nil, errors.New("a dropped pack is not in the base")
		}
		delete(packs, id)
	}
	var missing []snapshot.PackID
	for _, id := range c.Added {
		packs[id] = true
		if r.packs[id] == nil || !r.pinned[c.Run][id] {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return 0, missing, nil
	}
	number := max(newest, r.removed[c.Name]) + 1
	r.versions[c.Name] = append(r.versions[c.Name], Version{Number: number, Run: c.Run, Head: c.Head, Manifest: c.Manifest, Packs: packs})
	return number, nil, nil
}

// End gives a run up.
func (r *Repository) End(_ context.Context, run snapshot.RunID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pinned, run)
	return nil
}

// Remove removes a version.
func (r *Repository) Remove(name string, version uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.versions[name] {
		r.removed[name] = max(r.removed[name], v.Number)
	}
	r.versions[name] = slices.DeleteFunc(r.versions[name], func(v Version) bool { return v.Number == version })
}

// Sweep removes packs that no version needs, and forgets all runs.
func (r *Repository) Sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.pinned)
	for id := range r.packs {
		if !slices.ContainsFunc(slices.Concat(values(r.versions)...), func(v Version) bool { return v.Packs[id] || v.MendPacks[id] }) {
			delete(r.packs, id)
		}
	}
}

func values(m map[string][]Version) (all [][]Version) {
	for _, list := range m {
		all = append(all, list)
	}
	return all
}

// Packs are the packs there are.
func (r *Repository) Packs() map[snapshot.PackID][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[snapshot.PackID][]byte{}
	for id, sealed := range r.packs {
		all[id] = sealed
	}
	return all
}

// Replace has the repository give other bytes for a pack; nil takes it away.
func (r *Repository) Replace(id snapshot.PackID, sealed []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sealed == nil {
		delete(r.packs, id)
	} else {
		r.packs[id] = sealed
	}
}

// Snapshots lists versions, the newest of a name first.
func (r *Repository) Snapshots(_ context.Context, name string, all bool, f func(view.Listed) error) error {
	r.mu.Lock()
	r.Lists++
	names := make([]string, 0, len(r.versions))
	for n := range r.versions {
		if name == "" || n == name {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var list []view.Listed
	for _, n := range names {
		for i, v := range slices.Backward(r.versions[n]) {
			if !all && i != len(r.versions[n])-1 {
				break
			}
			list = append(list, view.Listed{Name: n, Version: v.Number, Digest: digest(v.Manifest), Run: v.Run, Head: v.Head, Packs: uint32(len(v.Packs)), Damaged: r.damaged(v)})
		}
	}
	r.mu.Unlock()
	for _, l := range list {
		if err := f(l); err != nil {
			return err
		}
	}
	return nil
}

// damaged is how many packs of a version are not as they were put.
func (r *Repository) damaged(v Version) (n uint32) {
	for id := range v.needs() {
		if !r.whole(id) {
			n++
		}
	}
	return n
}

func (r *Repository) whole(id snapshot.PackID) bool {
	return r.packs[id] != nil && sha256.Sum256(r.packs[id]) == id
}

// Mend adds a mend record to a version.
func (r *Repository) Mend(_ context.Context, m mend.Record) (missing []snapshot.PackID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.find(m.Name, m.Version)
	if v == nil {
		return nil, view.ErrNotFound
	}
	for _, id := range m.Packs {
		if !r.whole(id) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return missing, nil
	}
	if v.MendPacks == nil {
		v.MendPacks = map[snapshot.PackID]bool{}
	}
	for _, id := range m.Packs {
		v.MendPacks[id] = true
	}
	v.Mends = append(v.Mends, m.Sealed)
	return nil, nil
}

// Manifest is that of a version.
func (r *Repository) Manifest(_ context.Context, name string, version uint32) (uint32, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.find(name, version)
	if v == nil {
		return 0, nil, view.ErrNotFound
	}
	return v.Number, v.Manifest, nil
}

// ReadPack reads a range of a pack.
func (r *Repository) ReadPack(_ context.Context, id snapshot.PackID, offset int64, length int) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sealed := r.packs[id]
	if sealed == nil {
		return nil, view.ErrNotFound
	}
	offset = min(offset, int64(len(sealed)))
	part := sealed[offset:min(int64(len(sealed)), offset+int64(length))]
	r.Reads++
	r.ReadBytes += len(part)
	return bytes.Clone(part), nil
}

// SnapshotPacks are the packs that a version needs, with their sizes.
func (r *Repository) SnapshotPacks(_ context.Context, name string, version uint32, f func(snapshot.PackID, uint64) error) error {
	r.mu.Lock()
	v := r.find(name, version)
	if v == nil {
		r.mu.Unlock()
		return view.ErrNotFound
	}
	sizes := map[snapshot.PackID]uint64{}
	for id := range v.needs() {
		sizes[id] = uint64(len(r.packs[id]))
	}
	r.mu.Unlock()
	for id, size := range sizes {
		if err := f(id, size); err != nil {
			return err
		}
	}
	return nil
}

// Mends are the mend records of a version.
func (r *Repository) Mends(_ context.Context, name string, version uint32) ([][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.find(name, version)
	if v == nil {
		return nil, view.ErrNotFound
	}
	return v.Mends, nil
}
