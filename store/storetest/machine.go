package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/store"
	"coffer/store/packset"
)

// A Storage is a catalog and the blobs beside it.
type Storage struct {
	Catalog store.Catalog
	Blobs   store.Blobs
}

// Snapshots tests catalog and blobs together, by steps made at random: whatever
// the order of runs, puts, commits, removals, sweeps, damage, kills and
// restarts, each snapshot that is listed has all its packs, and nothing that a
// run pins is swept. open opens what is in dir, which may hold what an earlier
// one left there.
//
// How many attempts it makes, -rapid.checks says.
func Snapshots(t *testing.T, open func(t *testing.T, dir string) Storage) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{t: t, ctx: t.Context(), dir: t.TempDir(), open: open, client: clientID(1), runs: make(map[store.RunID]*machineRun),
			snapshots: make(map[store.Cursor]map[int]bool), damaged: make(map[int]bool)}
		m.Storage = open(t, m.dir)
		defer m.close(rt)
		must(rt, "add client", m.Catalog.AddClient(m.ctx, newClient(1)))
		rt.Repeat(map[string]func(*rapid.T){
			"begin": m.begin, "ask": m.ask, "put": m.put, "put killed": m.putKilled, "commit": m.commit, "end": m.end,
			"back up": m.backUp, "remove": m.remove, "thin": m.thin, "sweep": m.sweep, "damage": m.damage, "reopen": m.reopen, "": m.check,
		})
	})
}

// machinePacks is how many packs there are: few, so that they meet.
const machinePacks = 12

var (
	machineNames = []string{"s/one", "s/two"}
	machineRules = store.SweepRules{Elapsed: time.Hour, Grace: 3 * time.Hour, RunIdle: 5 * time.Hour, Limit: 5}
)

// A machine knows what should be there.
type machine struct {
	Storage
	t      *testing.T
	ctx    context.Context
	dir    string
	open   func(t *testing.T, dir string) Storage
	client store.ClientID

	runs      map[store.RunID]*machineRun
	snapshots map[store.Cursor]map[int]bool // which packs each needs
	damaged   map[int]bool
	begun     int // how many runs there were
	blobs     int // and manifests
}

// A machineRun is a run that has not ended, as far as the machine knows.
type machineRun struct {
	id     store.RunID
	name   string
	base   map[int]bool
	pinned map[int]bool // base included
	idle   int          // passes since it was seen
}

func (m *machine) close(t reporter) {
	t.Helper()
	must(t, "close", errors.Join(m.Catalog.Close(), m.Blobs.Close()))
}

func (m *machine) reopen(t *rapid.T) {
	m.close(t)
	m.Storage = m.open(m.t, m.dir)
}

// anyRun draws one that is under way, and skips the step if none is.
func (m *machine) anyRun(t *rapid.T) *machineRun {
	ids := slices.SortedFunc(maps.Keys(m.runs), func(a, b store.RunID) int { return bytes.Compare(a[:], b[:]) })
	if len(ids) == 0 {
		t.Skip("no run")
	}
	return m.runs[rapid.SampledFrom(ids).Draw(t, "run")]
}

func anyPacks(t *rapid.T, what string) []int {
	return rapid.SliceOfNDistinct(rapid.IntRange(0, machinePacks-1), 0, 6, rapid.ID[int]).Draw(t, what)
}

func (m *machine) newest(name string) (newest uint32) {
	for at := range m.snapshots {
		if at.Name == name {
			newest = max(newest, at.Number)
		}
	}
	return newest
}

func (m *machine) begin(t *rapid.T) {
	name := rapid.SampledFrom(machineNames).Draw(t, "name")
	bases := []uint32{0}
	for at := range m.snapshots {
		if at.Name == name {
			bases = append(bases, at.Number)
		}
	}
	slices.Sort(bases)
	m.beginFrom(t, name, rapid.SampledFrom(bases).Draw(t, "base"))
}

func (m *machine) beginFrom(t *rapid.T, name string, base uint32) *machineRun {
	m.begun++
	r := &machineRun{id: runID(m.begun), name: name, base: make(map[int]bool)}
	newest, err := m.Catalog.BeginRun(m.ctx, store.Run{ID: r.id, Client: m.client, Name: r.name, Base: base, Begun: noon})
	must(t, "begin", err)
	wantEqual(t, "newest", newest, m.newest(r.name))
	if base != 0 {
		r.base = maps.Clone(m.snapshots[store.Cursor{Name: r.name, Number: base}])
	}
	r.pinned = maps.Clone(r.base)
	m.runs[r.id] = r
	return r
}

// backUp makes a whole snapshot from the newest of its name, so that long chains
// of versions come about.
func (m *machine) backUp(t *rapid.T) {
	name := rapid.SampledFrom(machineNames).Draw(t, "name")
	r := m.beginFrom(t, name, m.newest(name))
	for _, n := range anyPacks(t, "packs") {
		m.putPack(t, r, n)
	}
	m.commitRun(t, r)
}

// needed reports whether anything needs a pack.
func (m *machine) needed(n int) bool {
	for _, packs := range m.snapshots {
		if packs[n] {
			return true
		}
	}
	for _, r := range m.runs {
		if r.pinned[n] {
			return true
		}
	}
	return false
}

func (m *machine) ask(t *rapid.T) {
	r, numbers := m.anyRun(t), anyPacks(t, "packs")
	found, err := m.Catalog.AskPacks(m.ctx, m.client, r.id, packIDs(numbers...))
	must(t, "ask", err)
	r.idle = 0
	for i, n := range numbers {
		switch there := found[i].Ordinal != 0; {
		case there && m.damaged[n]:
			t.Fatalf("pack %d is there, though it is damaged", n)
		case !there && !m.damaged[n] && m.needed(n):
			t.Fatalf("pack %d is missing", n)
		case there:
			r.pinned[n] = true
		}
	}
}

func machineContent(n int) []byte { return bytes.Repeat([]byte{byte(n)}, packSize) }

// store stores a pack's blob, unless it is there.
func (m *machine) store(t *rapid.T, r *machineRun, n int) (p store.Pack, there bool) {
	ordinal, there, err := m.Catalog.PlacePack(m.ctx, m.client, r.id, packID(n))
	must(t, "place", err)
	r.idle = 0
	p = store.Pack{Client: m.client, ID: packID(n), Ordinal: ordinal, Size: packSize}
	if there {
		return p, true
	}
	w, err := m.Blobs.CreatePack(m.ctx, store.PackMetadata{Client: m.client, ID: p.ID, Ordinal: ordinal, Size: packSize})
	must(t, "create", err)
	_, err = w.Write(machineContent(n))
	must(t, "write", err)
	p.Blob, err = w.Commit(m.ctx)
	must(t, "commit pack", err)
	return p, false
}

func (m *machine) put(t *rapid.T) {
	m.putPack(t, m.anyRun(t), rapid.IntRange(0, machinePacks-1).Draw(t, "pack"))
}

func (m *machine) putPack(t *rapid.T, r *machineRun, n int) {
	p, there := m.store(t, r, n)
	if there && m.damaged[n] {
		t.Fatalf("pack %d is there, though it is damaged", n)
	}
	if !there {
		unused, err := m.Catalog.AddPack(m.ctx, r.id, p)
		must(t, "add", err)
		if unused != "" {
			must(t, "remove what is unused", m.Blobs.Remove(m.ctx, unused))
		}
	}
	delete(m.damaged, n)
	r.pinned[n] = true
}

// putKilled puts a pack, and is killed before the catalog knows.
func (m *machine) putKilled(t *rapid.T) {
	m.store(t, m.anyRun(t), rapid.IntRange(0, machinePacks-1).Draw(t, "pack"))
}

func (m *machine) commit(t *rapid.T) { m.commitRun(t, m.anyRun(t)) }

func (m *machine) commitRun(t *rapid.T, r *machineRun) {
	needs := maps.Clone(r.base)
	for _, n := range anyPacks(t, "dropped") {
		delete(needs, n)
	}
	pinned := slices.Sorted(maps.Keys(r.pinned))
	for _, n := range pinned {
		if rapid.Bool().Draw(t, "added") {
			needs[n] = true
		}
	}
	numbers := slices.Sorted(maps.Keys(needs))
	packs, err := m.Catalog.PacksByID(m.ctx, m.client, packIDs(numbers...))
	must(t, "packs", err)
	set := new(packset.Set)
	broken := false
	for i, n := range numbers {
		if packs[i].Ordinal == 0 {
			t.Fatalf("pack %d is gone, though it is pinned", n)
		}
		set.Add(store.FoundPack{Ordinal: packs[i].Ordinal, Size: packSize})
		broken = broken || m.damaged[n]
	}
	m.blobs++
	v := newVersion(1, r.name, 10, m.blobs)
	v.Snapshot = &store.SnapshotMetadata{Run: r.id, PackBytes: set.Bytes}
	v.Snapshot.Packs, err = set.Encode()
	must(t, "encode", err)
	before := m.newest(r.name)
	late := rapid.IntRange(0, 4).Draw(t, "late") == 0
	if late {
		before++ // the client knows of one that is not there
	}
	keep := keepNewest(rapid.SampledFrom([]int{0, 0, 0, 2}).Draw(t, "keep"))
	number, _, err := m.Catalog.CommitSnapshot(m.ctx, store.SnapshotCommit{Version: v, Before: before}, keep)
	_, missing := errors.AsType[*store.MissingPacks](err)
	switch {
	case late:
		wantErr(t, "commit", err, store.ErrConflict)
		return
	case broken != missing:
		t.Fatalf("commit with damaged packs, %t: %v", broken, err)
	case missing:
		return
	}
	must(t, "commit", err)
	wantEqual(t, "number", number, before+1)
	delete(m.runs, r.id)
	m.snapshots[store.Cursor{Name: r.name, Number: number}] = needs
	if keep.Versions > 0 {
		maps.DeleteFunc(m.snapshots, func(at store.Cursor, _ map[int]bool) bool {
			return at.Name == r.name && m.newer(at) >= keep.Versions
		})
	}
	again, _, err := m.Catalog.CommitSnapshot(m.ctx, store.SnapshotCommit{Version: v, Before: before}, keepNewest(0))
	must(t, "commit again", err)
	wantEqual(t, "number", again, number)
}

// newer counts the versions of a name above one.
func (m *machine) newer(than store.Cursor) (n int) {
	for at := range m.snapshots {
		if at.Name == than.Name && at.Number > than.Number {
			n++
		}
	}
	return n
}

func (m *machine) end(t *rapid.T) {
	r := m.anyRun(t)
	must(t, "end", m.Catalog.EndRun(m.ctx, m.client, r.id))
	delete(m.runs, r.id)
}

func (m *machine) remove(t *rapid.T) {
	all := slices.SortedFunc(maps.Keys(m.snapshots), func(a, b store.Cursor) int {
		return bytes.Compare(fmt.Append(nil, a), fmt.Append(nil, b))
	})
	if len(all) == 0 {
		t.Skip("no snapshot")
	}
	m.removeAt(t, rapid.SampledFrom(all).Draw(t, "snapshot"))
}

func (m *machine) removeAt(t *rapid.T, at store.Cursor) {
	_, err := m.Catalog.Remove(m.ctx, m.client, at.Name, at.Number)
	must(t, "remove", err)
	delete(m.snapshots, at)
}

// thin ends all runs, removes versions that have older and newer ones, and
// sweeps: only the versions that are left hold packs then.
func (m *machine) thin(t *rapid.T) {
	name := rapid.SampledFrom(machineNames).Draw(t, "name")
	var numbers []uint32
	for at := range m.snapshots {
		if at.Name == name {
			numbers = append(numbers, at.Number)
		}
	}
	slices.Sort(numbers)
	for i, number := range numbers {
		if i > 0 && i < len(numbers)-1 && rapid.Bool().Draw(t, "removed") {
			m.removeAt(t, store.Cursor{Name: name, Number: number})
		}
	}
	for id := range m.runs {
		must(t, "end", m.Catalog.EndRun(m.ctx, m.client, id))
		delete(m.runs, id)
	}
	m.sweep(t)
}

// sweep makes a pass, or is killed in the middle of one.
func (m *machine) sweep(t *rapid.T) {
	rules := machineRules
	kill := rapid.SampledFrom([]string{"", "", "", "before", "between"}).Draw(t, "killed")
	for _, r := range m.runs {
		r.idle++
	}
	for more := true; more; rules.Elapsed = 0 {
		swept, err := m.Catalog.SweepPacks(m.ctx, m.client, rules)
		must(t, "sweep", err)
		for _, r := range swept.Expired {
			if known := m.runs[r.ID]; known == nil || known.idle <= int(rules.RunIdle/time.Hour) {
				t.Fatalf("a run ended too soon: %+v", known)
			}
			delete(m.runs, r.ID)
		}
		var ordinals []uint32
		for _, p := range swept.Removable {
			if kill == "before" {
				return
			}
			must(t, "remove a pack", m.Blobs.Remove(m.ctx, p.Blob))
			ordinals = append(ordinals, p.Ordinal)
		}
		if kill == "between" {
			return
		}
		must(t, "forget", m.Catalog.ForgetPacks(m.ctx, m.client, ordinals))
		more = swept.More
	}
	_, err := m.Catalog.SweepLeftovers(m.ctx)
	must(t, "leftovers", err)
}

func (m *machine) damage(t *rapid.T) {
	n := rapid.IntRange(0, machinePacks-1).Draw(t, "pack")
	packs, err := m.Catalog.PacksByID(m.ctx, m.client, packIDs(n))
	must(t, "packs", err)
	if packs[0].Ordinal == 0 || !m.needed(n) {
		t.Skip("nothing needs it")
	}
	must(t, "damage", m.Catalog.MarkDamaged(m.ctx, m.client, []uint32{packs[0].Ordinal}, false))
	m.damaged[n] = true
}

// check compares what is there with what should be.
func (m *machine) check(t *rapid.T) {
	for n := range m.damaged { // once nothing needs it, it may go like any other
		if !m.needed(n) {
			delete(m.damaged, n)
			packs, err := m.Catalog.PacksByID(m.ctx, m.client, packIDs(n))
			must(t, "packs", err)
			if packs[0].Ordinal != 0 {
				must(t, "repair", m.Catalog.MarkDamaged(m.ctx, m.client, []uint32{packs[0].Ordinal}, true))
			}
		}
	}
	list, err := m.Catalog.ListSnapshots(m.ctx, m.client, store.SnapshotQuery{All: true, Limit: 1000})
	must(t, "list", err)
	wantEqual(t, "snapshots", len(list), len(m.snapshots))
	for _, s := range list {
		packs, err := m.Catalog.SnapshotPacks(m.ctx, m.client, s.Name, s.Number, 0, 1000)
		must(t, "snapshot packs", err)
		have := make(map[int]bool)
		for _, p := range packs {
			have[packNumber(p.ID)] = true
			m.wantPack(t, p)
		}
		wantEqual(t, fmt.Sprintf("what %s@%d needs", s.Name, s.Number), have, m.snapshots[store.Cursor{Name: s.Name, Number: s.Number}])
	}
	runs, err := m.Catalog.ListRuns(m.ctx, m.client)
	must(t, "runs", err)
	wantEqual(t, "runs", len(runs), len(m.runs))
	for _, r := range m.runs {
		pinned := slices.Sorted(maps.Keys(r.pinned))
		packs, err := m.Catalog.PacksByID(m.ctx, m.client, packIDs(pinned...))
		must(t, "pinned packs", err)
		for i, p := range packs {
			if p.Ordinal == 0 {
				t.Fatalf("pack %d was swept, though a run pins it", pinned[i])
			}
			m.wantPack(t, p)
		}
	}
}

// wantPack reads a pack that something needs.
func (m *machine) wantPack(t *rapid.T, p store.Pack) {
	n := packNumber(p.ID)
	if p.State == store.PackDead || (p.State == store.PackDamaged) != m.damaged[n] {
		t.Fatalf("pack %d has state %d, damaged %t", n, p.State, m.damaged[n])
	}
	b, err := m.Blobs.Open(m.ctx, p.Blob)
	must(t, "open pack", err)
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	must(t, "read pack", errors.Join(err, b.Close()))
	if !bytes.Equal(got, machineContent(n)) {
		t.Fatalf("pack %d is another", n)
	}
}
