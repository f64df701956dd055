package maintain_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/store"
	"coffer/store/packset"
)

const label = "s/0123456789abcdef0123456789abcdef"

// A backup is a run of a client and what it has put.
type backup struct {
	s      *storage
	client store.ClientID
	run    store.RunID
	before uint32
	set    *packset.Set
}

func (s *storage) begin(c store.Client, before uint32) *backup {
	s.t.Helper()
	b := &backup{s: s, client: c.ID, before: before, set: new(packset.Set)}
	rand.Read(b.run[:])
	_, err := s.catalog.BeginRun(s.t.Context(), store.Run{ID: b.run, Client: c.ID, Name: label, Base: before, Begun: time.Now()})
	s.check(err)
	packs, bytes, err := s.catalog.RunBase(s.t.Context(), c.ID, b.run)
	s.check(err)
	b.set, err = packset.Decode(packs)
	s.check(err)
	b.set.Bytes = bytes
	return b
}

// store stores a pack's blob without telling the catalog.
func (b *backup) store(content []byte) store.Pack {
	b.s.t.Helper()
	ctx := b.s.t.Context()
	p := store.Pack{Client: b.client, ID: sha256.Sum256(content), Size: int64(len(content))}
	var err error
	p.Ordinal, _, err = b.s.catalog.PlacePack(ctx, b.client, b.run, p.ID)
	b.s.check(err)
	w, err := b.s.blobs.CreatePack(ctx, store.PackMetadata{Client: b.client, ID: p.ID, Ordinal: p.Ordinal, Size: p.Size})
	b.s.check(err)
	_, err = w.Write(content)
	b.s.check(err)
	p.Blob, err = w.Commit(ctx)
	b.s.check(err)
	return p
}

func (b *backup) put(content []byte) store.Pack {
	b.s.t.Helper()
	p := b.store(content)
	_, err := b.s.catalog.AddPack(b.s.t.Context(), b.run, p)
	b.s.check(err)
	b.set.Add(store.FoundPack{Ordinal: p.Ordinal, Size: p.Size})
	return p
}

func (b *backup) commit() store.Version {
	b.s.t.Helper()
	ctx := b.s.t.Context()
	manifest := ciphertext(byte(b.before), 320)
	meta := store.Metadata{Client: b.client, Name: label, WireName: []byte(label), Format: 5, Size: 320, OriginalSize: 320,
		SHA256: sha256.Sum256(manifest), Received: time.Now()}
	rand.Read(meta.Upload[:])
	packs, err := b.set.Encode()
	b.s.check(err)
	meta.Snapshot = &store.SnapshotMetadata{Run: b.run, Head: []byte("head"), Packs: packs, PackBytes: b.set.Bytes}
	v := store.Version{Metadata: meta, Verified: true, Created: time.Now()}
	v.Blob, err = b.s.blobs.Put(ctx, meta, manifest)
	b.s.check(err)
	v.Number, _, err = b.s.catalog.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: b.before}, store.Retention{})
	b.s.check(err)
	b.s.check(b.s.blobs.Confirm(ctx, v.Blob, store.Confirmation{Number: v.Number, Verified: true, Created: v.Created}))
	return v
}

// mend adds a mend record to a version, which needs a pack more from then on.
func (b *backup) mend(number uint32, p store.Pack) store.Mend {
	b.s.t.Helper()
	record := ciphertext(9, 160)
	m := store.Mend{Number: number, Metadata: store.Metadata{Client: b.client, Name: label, WireName: []byte(label), Format: 5,
		Size: 160, SHA256: sha256.Sum256(record), Received: time.Now()}}
	rand.Read(m.Metadata.Upload[:])
	set := new(packset.Set)
	set.Add(store.FoundPack{Ordinal: p.Ordinal})
	packs, err := set.Encode()
	b.s.check(err)
	m.Metadata.Snapshot = &store.SnapshotMetadata{Run: b.run, Packs: packs, Mend: true}
	m.Blob, err = b.s.blobs.Put(b.s.t.Context(), m.Metadata, record)
	b.s.check(err)
	_, err = b.s.catalog.AddMend(b.s.t.Context(), m)
	b.s.check(err)
	b.s.check(b.s.blobs.Confirm(b.s.t.Context(), m.Blob, store.Confirmation{Number: number, Created: time.Now()}))
	return m
}

// snapshots lists all that there are of a client, with the packs that each
// needs, opened and read.
func (s *storage) snapshots(c store.Client) string {
	s.t.Helper()
	text := ""
	list, err := s.catalog.ListSnapshots(s.t.Context(), c.ID, store.SnapshotQuery{All: true, Limit: 100})
	s.check(err)
	for _, one := range list {
		text += fmt.Sprintln(one.Name, one.Number, one.Packs, one.PackBytes, one.Damaged, one.Mends, string(one.Head), one.Blob)
		packs, err := s.catalog.SnapshotPacks(s.t.Context(), c.ID, one.Name, one.Number, 0, 1000)
		s.check(err)
		for _, p := range packs {
			text += fmt.Sprintln(" ", p.Ordinal, p.ID, p.Size, p.State, p.Blob, s.whole(p))
		}
	}
	return text
}

// whole reports whether a pack's blob is what it should be.
func (s *storage) whole(p store.Pack) bool {
	s.t.Helper()
	blob, err := s.blobs.Open(s.t.Context(), p.Blob)
	if err != nil {
		return false
	}
	defer blob.Close()
	content, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	s.check(err)
	return sha256.Sum256(content) == p.ID
}

// sweep makes a pass as the core does, without a grace.
func (s *storage) sweep(c store.Client) (marked, removed int, err error) {
	s.t.Helper()
	if err := maintain.BeginSweep(s.t.Context(), s.catalog, s.blobs); err != nil {
		return 0, 0, err
	}
	swept, err := s.catalog.SweepPacks(s.t.Context(), c.ID, store.SweepRules{Elapsed: time.Minute, RunIdle: time.Hour})
	s.check(err)
	var gone []uint32
	for _, p := range swept.Removable {
		s.check(s.blobs.Remove(s.t.Context(), p.Blob))
		gone = append(gone, p.Ordinal)
	}
	s.check(s.catalog.ForgetPacks(s.t.Context(), c.ID, gone))
	return swept.Marked, len(gone), nil
}

// packFile is where a pack lies.
func (s *storage) packFile(p store.Pack) string {
	return filepath.Join(s.folder, "blobs", filepath.FromSlash(string(p.Blob)))
}

// A catalog made anew knows the snapshots and packs that the lost one did, and
// may sweep.
func TestRebuildSnapshots(t *testing.T) {
	s := newStorage(t)
	ada := s.client("ada")
	b := s.begin(ada, 0)
	b.put(ciphertext(1, 5000))
	damaged := b.put(ciphertext(2, 6000))
	b.commit()
	b = s.begin(ada, 1)
	b.put(ciphertext(3, 7000))
	useless := b.put(ciphertext(4, 8000))
	b.set.Remove(useless, damaged)
	b.commit()
	b = s.begin(ada, 2)
	b.mend(1, b.put(ciphertext(5, 9000)))
	s.check(s.catalog.EndRun(t.Context(), ada.ID, b.run))
	before := s.snapshots(ada)
	s.check(maintain.Remark(t.Context(), s.catalog, s.blobs))
	s.openCatalog("rebuilt.db")
	r, err := maintain.Rebuild(t.Context(), s.catalog, s.blobs, sealed)
	if err != nil || r.Damaged != nil || r.Versions != 2 || r.Packs != 5 {
		t.Errorf("rebuilt %+v, %v", r, err)
	}
	if after := s.snapshots(ada); after != before {
		t.Errorf("snapshots\n%sbefore\n%s", after, before)
	}
	if marked, _, err := s.sweep(ada); err != nil || marked != 1 || s.whole(useless) {
		t.Errorf("a pass: %d packs, %v", marked, err)
	}
	if after := s.snapshots(ada); after != before {
		t.Errorf("snapshots after a sweep\n%sbefore\n%s", after, before)
	}
}

// An earlier copy of the catalog learns what happened since, and sweeps nothing
// before.
func TestReconcile(t *testing.T) {
	s := newStorage(t)
	ada := s.client("ada")
	b := s.begin(ada, 0)
	old := b.put(ciphertext(1, 5000))
	reused := b.put(ciphertext(2, 6000))
	b.set.Remove(reused)
	b.commit()
	copied := filepath.Join(s.folder, "copy.db")
	s.check(s.catalog.Backup(t.Context(), copied, func(int64, int64) {}))
	s.check(maintain.Remark(t.Context(), s.catalog, s.blobs))
	b = s.begin(ada, 1)
	b.put(ciphertext(3, 7000))
	found, err := s.catalog.AskPacks(t.Context(), ada.ID, b.run, []store.PackID{reused.ID}) // useless so far
	s.check(err)
	b.set.Add(found...)
	b.set.Remove(old)
	b.commit()
	gone, err := s.catalog.Remove(t.Context(), ada.ID, label, 1)
	s.check(err)
	s.check(s.blobs.Remove(t.Context(), gone[0]))
	if _, removed, err := s.sweep(ada); err != nil || removed != 1 || s.whole(old) {
		t.Errorf("a pass: %d packs, %v", removed, err)
	}
	want := s.snapshots(ada)

	s.openCatalog("copy.db")
	if _, _, err := s.sweep(ada); !errors.Is(err, maintain.ErrUnreconciled) {
		t.Errorf("a sweep with an earlier catalog: %v", err)
	}
	done, err := maintain.Reconcile(t.Context(), s.catalog, s.blobs)
	if err != nil || !done.Needed || done.Packs != 1 || done.Missing != 1 || done.Snapshots != 1 || done.Damaged != nil {
		t.Errorf("reconciled %+v, %v", done, err)
	}
	if _, removed, err := s.sweep(ada); err != nil || removed != 0 {
		t.Errorf("a pass: %d packs, %v", removed, err)
	}
	_, err = s.catalog.Remove(t.Context(), ada.ID, label, 1) // which the copy still had
	s.check(err)
	if got := s.snapshots(ada); got != want {
		t.Errorf("snapshots\n%swant\n%s", got, want)
	}
	if done, err := maintain.Reconcile(t.Context(), s.catalog, s.blobs); err != nil || done.Needed {
		t.Errorf("once more: %+v, %v", done, err)
	}
	// The next pack gets an ordinal of its own.
	b = s.begin(ada, 2)
	if p := b.put(ciphertext(8, 500)); p.Ordinal != 4 {
		t.Errorf("ordinal %d", p.Ordinal)
	}
}

// As long as something beside the catalog cannot be read, nothing is swept.
func TestReconcileDamaged(t *testing.T) {
	s := newStorage(t)
	ada := s.client("ada")
	b := s.begin(ada, 0)
	p := b.put(ciphertext(1, 5000))
	b.commit()
	s.check(s.blobs.SetGeneration(t.Context(), "that of another catalog"))
	owner := filepath.Join(filepath.Dir(filepath.Dir(s.packFile(p))), "client")
	text, err := os.ReadFile(owner)
	s.check(err)
	s.check(os.WriteFile(owner, []byte("nonsense"), 0o600))
	if done, err := maintain.Reconcile(t.Context(), s.catalog, s.blobs); err != nil || done.Damaged == nil {
		t.Errorf("%+v, %v", done, err)
	}
	if _, _, err := s.sweep(ada); !errors.Is(err, maintain.ErrUnreconciled) {
		t.Errorf("a sweep: %v", err)
	}
	s.check(os.WriteFile(owner, text, 0o600))
	if done, err := maintain.Reconcile(t.Context(), s.catalog, s.blobs); err != nil || done.Damaged != nil {
		t.Errorf("%+v, %v", done, err)
	}
	if _, _, err := s.sweep(ada); err != nil {
		t.Errorf("a sweep: %v", err)
	}
}

// A scrub finds packs that are damaged, missing or unknown, names the snapshots
// that need them, and marks them in the catalog.
func TestScrubPacks(t *testing.T) {
	s := newStorage(t)
	ada := s.client("ada")
	b := s.begin(ada, 0)
	b.put(ciphertext(1, 5000))
	flipped, cut, deleted := b.put(ciphertext(2, 300_000)), b.put(ciphertext(3, 7000)), b.put(ciphertext(4, 8000))
	b.commit()
	b = s.begin(ada, 1)
	b.set.Remove(cut, deleted)
	b.commit()
	b = s.begin(ada, 2)
	unknown := b.store(ciphertext(5, 9000))
	mend := b.mend(1, b.put(ciphertext(6, 4000)))
	s.check(s.blobs.SetGeneration(t.Context(), "that of another catalog"))
	opts := maintain.ScrubOptions{Unfinished: time.Hour}
	if done, findings := s.scrub(opts); !done.Sound() || done.Packs != 5 || len(findings) != 0 {
		t.Errorf("before: %+v, %v", done, findings)
	}
	text, err := os.ReadFile(s.packFile(flipped))
	s.check(err)
	whole := slices.Clone(text)
	text[len(text)/2] ^= 1
	s.check(os.WriteFile(s.packFile(flipped), text, 0o600))
	s.check(os.Truncate(s.packFile(cut), 100))
	s.check(os.Remove(s.packFile(deleted)))
	s.check(s.blobs.Remove(t.Context(), mend.Blob))
	long := time.Now().Add(-2 * time.Hour)
	s.check(os.Chtimes(s.packFile(unknown), long, long))
	want := []string{
		"damaged ada " + label + " 1", // cut
		"damaged ada " + label + " 2", // flipped, which the newest needs as well
		"missing ada " + label + " 1", // deleted
		"missing ada " + label + " 1", // the mend
		"orphan ada  0",
	}
	opts.Collect = true // in vain, for the catalog may be an earlier one
	done, findings := s.scrub(opts)
	if !slices.Equal(findings, want) || done.Sound() || done.Damaged != 2 || done.Missing != 2 || done.Orphans != 1 || done.Freed != 0 {
		t.Errorf("found %q, %+v", findings, done)
	}
	list, err := s.catalog.ListSnapshots(t.Context(), ada.ID, store.SnapshotQuery{All: true, Limit: 10})
	s.check(err)
	if list[0].Damaged != 1 || list[1].Damaged != 3 {
		t.Errorf("the catalog knows %d and %d damaged packs", list[0].Damaged, list[1].Damaged)
	}
	s.check(os.WriteFile(s.packFile(flipped), whole, 0o600))
	_, err = maintain.Reconcile(t.Context(), s.catalog, s.blobs)
	s.check(err)
	s.check(os.Chtimes(s.packFile(unknown), long, long))
	if done, _ := s.scrub(opts); done.Damaged != 1 {
		t.Errorf("after one was repaired: %+v", done)
	}
	if list, err = s.catalog.ListSnapshots(t.Context(), ada.ID, store.SnapshotQuery{Limit: 10}); err != nil || list[0].Damaged != 0 {
		t.Errorf("the newest has %d damaged packs, %v", list[0].Damaged, err)
	}
}
