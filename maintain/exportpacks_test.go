package maintain_test

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"coffer/export"
	"coffer/maintain"
)

// An export has the packs that snapshots need, each named by its SHA-256, and
// says which it has not.
func TestExportSnapshots(t *testing.T) {
	s := newStorage(t)
	ada := s.client("ada")
	s.store(ada, "a file", ciphertext(1, 160))
	b := s.begin(ada, 0)
	whole, damaged := b.put(ciphertext(2, 5000)), b.put(ciphertext(3, 6000))
	b.commit()
	b = s.begin(ada, 1)
	b.set.Remove(damaged)
	mend := b.mend(1, b.put(ciphertext(4, 7000)))
	b.commit()
	s.check(os.Truncate(s.packFile(damaged), 10))
	folder := filepath.Join(t.TempDir(), "export")
	for range 2 {
		done, err := maintain.Export(t.Context(), s.catalog, s.blobs, "ada", folder, nil)
		if err != nil || done.Versions != 3 || done.Packs != 2 || done.Lost != 1 {
			t.Errorf("exported %+v, %v", done, err)
		}
	}
	m, err := export.Open(folder)
	s.check(err)
	if m.Version != export.WithSnapshots {
		t.Errorf("layout %d", m.Version)
	}
	for _, want := range []struct {
		number      uint32
		lost, mends int
		packs       int64
	}{{2, 0, 0, 2}, {1, 1, 1, 2}} {
		f, err := m.Find(label, want.number)
		s.check(err)
		if f.Snapshot == nil || len(f.Snapshot.Lost) != want.lost || len(f.Snapshot.Mends) != want.mends || f.Snapshot.Packs != want.packs || string(f.Snapshot.Head) != "head" {
			t.Errorf("snapshot %d: %+v", want.number, f.Snapshot)
		}
	}
	pack, size, err := m.Pack(export.Hash(whole.ID))
	s.check(err)
	defer pack.Close()
	content, err := io.ReadAll(pack)
	if err != nil || size != 5000 || sha256.Sum256(content) != whole.ID {
		t.Errorf("a pack of %d bytes, %v", size, err)
	}
	record, _, err := m.Mend(mend.Metadata.SHA256)
	s.check(err)
	s.check(record.Close())
	if f, err := m.Find("a file", 0); err != nil || f.Snapshot != nil {
		t.Errorf("a file: %+v, %v", f, err)
	}
	if _, _, err := m.Pack(export.Hash(damaged.ID)); err == nil {
		t.Error("a damaged pack was exported")
	}
}
