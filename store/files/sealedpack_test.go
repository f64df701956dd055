package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"coffer/store"
)

func sealedMeta(n byte, size int) store.PackMetadata {
	return store.PackMetadata{Client: store.ClientID{7}, ID: store.PackID{n}, Ordinal: uint32(n), Size: int64(size)}
}

func putSealed(t testing.TB, s *Store, n byte, size int) (store.BlobRef, error) {
	t.Helper()
	w, err := s.CreatePack(t.Context(), sealedMeta(n, size))
	if err != nil {
		return "", err
	}
	if _, err := w.Write(random(uint64(n), size)); err != nil {
		return "", errors.Join(err, w.Discard())
	}
	return w.Commit(t.Context())
}

func sealedThere(t testing.TB, s *Store) (refs []store.BlobRef, err error) {
	t.Helper()
	err = s.WalkPacks(t.Context(), func(p store.StoredPack) error {
		refs = append(refs, p.Ref)
		same(t, "metadata", p.Metadata, sealedMeta(byte(p.Metadata.Ordinal), int(p.Metadata.Size)))
		return nil
	})
	return refs, err
}

// A process that dies between any two steps of storing a pack leaves the whole
// pack, or nothing; the folder opens by itself, and takes further packs.
func TestCrashWhileStoringAPack(t *testing.T) {
	const size = 5000
	steps := []struct {
		name  string
		until func(w *packWriter, name sealedName) error
		there int
	}{
		{"created", func(*packWriter, sealedName) error { return nil }, 0},
		{"written in part", func(w *packWriter, _ sealedName) error { _, err := w.Write(random(1, 100)); return err }, 0},
		{"synced", func(w *packWriter, _ sealedName) error {
			_, err := w.Write(random(1, size))
			return errors.Join(err, syncData(w.file))
		}, 0},
		{"a folder without its owner", func(w *packWriter, name sealedName) error {
			return w.store.root.Mkdir(name.dir, dirMode)
		}, 0},
		{"a folder with a torn owner", func(w *packWriter, name sealedName) error {
			return errors.Join(w.store.root.Mkdir(name.dir, dirMode), w.store.root.WriteFile(name.dir+"/"+ownerName, []byte("07"), fileMode))
		}, 0},
		{"a folder for it", func(w *packWriter, name sealedName) error {
			_, err := w.Write(random(1, size))
			return errors.Join(err, w.store.makeSealedDir(w.meta.Client, name))
		}, 0},
		{"moved", func(w *packWriter, name sealedName) error {
			_, err := w.Write(random(1, size))
			return errors.Join(err, syncData(w.file), w.store.makeSealedDir(w.meta.Client, name), w.store.root.Rename(w.temp, name.path()))
		}, 1},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTest(t, dir)
			created, err := s.CreatePack(t.Context(), sealedMeta(1, size))
			noErr(t, err)
			w := created.(*packWriter)
			noErr(t, step.until(w, newSealedName(&w.meta)))
			noErr(t, w.close())
			noErr(t, s.Close())

			s = openTest(t, dir)
			refs, err := sealedThere(t, s)
			if err != nil && !errors.Is(err, store.ErrDamaged) { // of a folder that is empty
				t.Fatal(err)
			}
			same(t, "packs", len(refs), step.there)
			left, err := names(s.root, incomingDir)
			noErr(t, err)
			same(t, "half written files", len(left), 0)
			ref, err := putSealed(t, s, 2, size)
			noErr(t, err)
			got, err := read(t, s, ref)
			if err != nil || string(got) != string(random(2, size)) {
				t.Errorf("another pack: %v", err)
			}
			refs, err = sealedThere(t, s)
			noErr(t, err)
			same(t, "packs", len(refs), step.there+1)
			noErr(t, s.Close())
		})
	}
}

// A name that another tool put there is no pack.
func TestForeignNamesAmongPacks(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	ref, err := putSealed(t, s, 1, 100)
	noErr(t, err)
	folder := filepath.Dir(filepath.Join(dir, string(ref)))
	for _, name := range []string{"notes.txt", filepath.Base(string(ref)) + ".bak", "a-1-b"} {
		noErr(t, os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600))
	}
	refs, err := sealedThere(t, s)
	noErr(t, err)
	same(t, "packs", refs, []store.BlobRef{ref})
	noErr(t, s.Close())
}

func FuzzParseSealed(f *testing.F) {
	f.Add(newSealedName(&store.PackMetadata{Ordinal: 1}).path())
	f.Add("snapshots/../x/y/z")
	f.Fuzz(func(t *testing.T, name string) {
		if n, ok := parseSealed(name); ok && n.path() != name {
			t.Errorf("%q parses as %q", name, n.path())
		}
	})
}
