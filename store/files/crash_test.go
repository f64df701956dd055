package files

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/store"
)

func openTest(t testing.TB, dir string, opts ...Option) *Store {
	t.Helper()
	s, err := Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// random is n bytes that differ with seed.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	key := [32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

func meta(upload int, size int) store.Metadata {
	l := goldenMetadata()
	l.Upload = store.UploadID{byte(upload), byte(upload >> 8)}
	l.Size = int64(size)
	return l
}

func putSmall(t testing.TB, s *Store, n, size int) store.BlobRef {
	t.Helper()
	ref, err := s.Put(t.Context(), meta(n, size), random(uint64(n), size))
	noErr(t, err)
	return ref
}

func seal(t testing.TB, s *Store, n, size int) store.BlobRef {
	t.Helper()
	p, err := s.NewPart(t.Context(), meta(n, size).Upload, []byte("header"))
	noErr(t, err)
	_, err = p.Content().WriteAt(random(uint64(n), size), 0)
	noErr(t, err)
	ref, err := p.Commit(t.Context(), meta(n, size))
	noErr(t, err)
	return ref
}

func read(t testing.TB, s *Store, ref store.BlobRef) ([]byte, error) {
	t.Helper()
	b, err := s.Open(t.Context(), ref)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
}

// uploads are the numbers of the uploads that a visit finds, in order.
func uploads(t testing.TB, visit func(func(store.StoredBlob) error) error) ([]int, error) {
	t.Helper()
	found := []int{}
	err := visit(func(b store.StoredBlob) error {
		found = append(found, int(b.Metadata.Upload[0])|int(b.Metadata.Upload[1])<<8)
		return nil
	})
	slices.Sort(found)
	return found, err
}

func pendingUploads(t testing.TB, s *Store) []int {
	t.Helper()
	found, err := uploads(t, func(v func(store.StoredBlob) error) error { return s.Pending(t.Context(), time.Time{}, v) })
	noErr(t, err)
	return found
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// However much of the last group a crash left, what was there before stays and
// the pack can be used.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	putSmall(t, s, 1, 1000)
	putSmall(t, s, 2, 50)
	noErr(t, s.Close())
	name := filepath.Join(dir, packName(1))
	whole, err := os.ReadFile(name)
	noErr(t, err)

	l := meta(3, 300)
	head, padding := appendRecord(nil, &l, random(3, 300))
	record := slices.Concat(head, random(3, 300), make([]byte, padding))
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < len(record); n += 1 + n/headerSize*6 {
		tails := [][]byte{
			record[:n], // written from the front
			append(bytes.Clone(record[:n]), make([]byte, len(record)-n)...),      // with its size before its end
			append(make([]byte, n), record[n:]...),                               // with its end before its front
			append(bytes.Clone(record[:n]), random(uint64(n), rng.IntN(200))...), // with what lay on the disk
		}
		for i, tail := range tails {
			if n == 0 && i == 2 || bytes.Equal(tail, record) {
				continue
			}
			dir := t.TempDir()
			noErr(t, os.Mkdir(filepath.Join(dir, packsDir), 0o700))
			noErr(t, os.WriteFile(filepath.Join(dir, packName(1)), append(bytes.Clone(whole), tail...), 0o600))
			s := openTest(t, dir)
			left, end := []int{1, 2}, len(whole)
			if len(tail) >= len(record) && bytes.Equal(tail[:markOffset], record[:markOffset]) &&
				bytes.Equal(tail[headerSize:len(record)-padding], record[headerSize:len(record)-padding]) {
				left, end = []int{1, 2, 3}, end+len(record) // it was not answered for, but is whole
			}
			same(t, "pending", pendingUploads(t, s), left)
			ref := putSmall(t, s, 4, 77)
			same(t, "place of the next", ref, place{pack: 1, offset: int64(end)}.ref())
			got, err := read(t, s, ref)
			if err != nil || !bytes.Equal(got, random(4, 77)) {
				t.Errorf("after a tail of kind %d, %d bytes: read the next: %v", i, n, err)
			}
			noErr(t, s.Close())
		}
	}
}

// A group may be on the medium in parts, the last before the first.
func TestTornGroup(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	refs := []store.BlobRef{putSmall(t, s, 1, 1000), putSmall(t, s, 2, 1000), putSmall(t, s, 3, 1000), putSmall(t, s, 4, 1000)}
	noErr(t, s.Confirm(t.Context(), refs[0], store.Confirmation{Number: 1}))
	noErr(t, s.Close())
	for _, broken := range []int{0, 1, 3} {
		at, err := parseRef(refs[broken])
		noErr(t, err)
		overwrite(t, filepath.Join(dir, packName(1)), at.offset+700, []byte("xxxx"))
	}
	s = openTest(t, dir)
	// The confirmed one was synced, so its damage is not a crash's: it stays,
	// to be reported. The pending ones were never answered for.
	same(t, "pending", pendingUploads(t, s), []int{3})
	all, err := uploads(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })
	noErr(t, err)
	same(t, "all", all, []int{1, 3})
	for i, want := range []error{store.ErrDamaged, store.ErrNoBlob, nil, store.ErrNoBlob} {
		if _, err := read(t, s, refs[i]); !errors.Is(err, want) {
			t.Errorf("blob %d: got error %v, want %v", i, err, want)
		}
	}
	same(t, "place of the next", putSmall(t, s, 5, 10), refs[3])
	noErr(t, s.Close())
}

func overwrite(t testing.TB, name string, offset int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	noErr(t, err)
	defer f.Close()
	_, err = f.WriteAt(b, offset)
	noErr(t, err)
}

// Damage in the middle hides only the record that it hit.
func TestDamagedPack(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	var refs []store.BlobRef
	for i := range 5 {
		refs = append(refs, putSmall(t, s, i, 100_000/2))
	}
	noErr(t, s.Close())
	at, err := parseRef(refs[2])
	noErr(t, err)
	overwrite(t, filepath.Join(dir, packName(1)), at.offset, make([]byte, 300))
	s = openTest(t, dir)
	for i := range 6 {
		all, err := uploads(t, func(v func(store.StoredBlob) error) error { return s.Walk(t.Context(), v) })
		if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), packName(1)) {
			t.Errorf("walk: got error %v, want one that says where the damage is", err)
		}
		same(t, "walk", len(all), 4+i)
		putSmall(t, s, 10+i, 10)
	}
	for _, i := range []int{0, 1, 3, 4} {
		got, err := read(t, s, refs[i])
		if err != nil || !bytes.Equal(got, random(uint64(i), 50_000)) {
			t.Errorf("blob %d: %v", i, err)
		}
	}
	noErr(t, s.Close())
}

// A crash between any two steps of Commit leaves either the part or the blob.
func TestCrashInSeal(t *testing.T) {
	const size = store.SmallBlob + 1000
	tests := []struct {
		name        string
		undo        func(t *testing.T, dir string, at place) // what the crash came before
		part, blob  bool
		contentSize int
	}{
		{"before anything", func(t *testing.T, dir string, at place) {
			noErr(t, os.Remove(filepath.Join(dir, at.sidecar())))
			noErr(t, os.Remove(filepath.Join(dir, at.marker())))
			noErr(t, os.Rename(filepath.Join(dir, at.content()), filepath.Join(dir, partName(meta(7, 0).Upload, contentSuffix))))
		}, true, false, size},
		{"before the sidecar", func(t *testing.T, dir string, at place) {
			noErr(t, os.Truncate(filepath.Join(dir, at.sidecar()), 0))
			noErr(t, os.Rename(filepath.Join(dir, at.content()), filepath.Join(dir, partName(meta(7, 0).Upload, contentSuffix))))
		}, true, false, size},
		{"before the rename", func(t *testing.T, dir string, at place) {
			noErr(t, os.Rename(filepath.Join(dir, at.content()), filepath.Join(dir, partName(meta(7, 0).Upload, contentSuffix))))
		}, true, false, size},
		{"before the part was dropped", func(*testing.T, string, place) {}, false, true, size},
		{"before a small part was dropped", func(t *testing.T, dir string, _ place) {
			noErr(t, os.WriteFile(filepath.Join(dir, partName(meta(7, 0).Upload, contentSuffix)), random(7, 100), 0o600))
		}, false, true, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTest(t, dir)
			p, err := s.NewPart(t.Context(), meta(7, 0).Upload, []byte("header"))
			noErr(t, err)
			noErr(t, p.Log([]byte("record")))
			_, err = p.Content().WriteAt(random(7, test.contentSize), 0)
			noErr(t, err)
			// seal does not drop the part's files, so it is Commit up to a crash.
			ref, err := p.(*part).seal(t.Context(), meta(7, test.contentSize))
			noErr(t, err)
			noErr(t, p.Close())
			noErr(t, s.Close())
			at, err := parseRef(ref)
			noErr(t, err)
			test.undo(t, dir, at)

			s = openTest(t, dir)
			var left []store.Part
			noErr(t, s.Parts(t.Context(), func(p store.Part, header []byte, records [][]byte) error {
				left = append(left, p)
				same(t, "header", string(header), "header")
				same(t, "records", records, [][]byte{[]byte("record")})
				return nil
			}))
			same(t, "part is there", len(left) == 1, test.part)
			same(t, "blob is pending", len(pendingUploads(t, s)) == 1, test.blob)
			for _, p := range left {
				if ref, err = p.Commit(t.Context(), meta(7, test.contentSize)); err != nil {
					t.Error(err)
				}
			}
			got, err := read(t, s, ref)
			if err != nil || !bytes.Equal(got, random(7, test.contentSize)) {
				t.Errorf("read the blob: %v", err)
			}
			noErr(t, s.Remove(t.Context(), ref))
			noErr(t, s.Close())
			if left := filesIn(t, dir); !slices.Equal(left, []string{packName(1)}) && len(left) != 0 {
				t.Errorf("files are left: %q", left)
			}
		})
	}
}

// filesIn lists all files in a folder, with their paths.
func filesIn(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	noErr(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, name)
		}
		return err
	}))
	return list
}

// Logs torn anywhere give the records before; a part without a header goes.
func TestTornLog(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	p, err := s.NewPart(t.Context(), store.UploadID{1}, []byte("header"))
	noErr(t, err)
	for _, r := range []string{"one", "two"} {
		noErr(t, p.Log([]byte(r)))
	}
	_, err = p.Content().WriteAt([]byte("content"), 0)
	noErr(t, err)
	noErr(t, p.Close())
	noErr(t, s.Close())
	name := filepath.Join(dir, partName(store.UploadID{1}, logSuffix))
	whole, err := os.ReadFile(name)
	noErr(t, err)
	for n := len(whole); n >= 0; n-- {
		noErr(t, os.WriteFile(name, append(bytes.Clone(whole[:n]), "\x05\x00\x00\x00torn"...), 0o600))
		s := openTest(t, dir)
		visits := 0
		noErr(t, s.Parts(t.Context(), func(p store.Part, header []byte, records [][]byte) error {
			visits++
			noErr(t, p.Log([]byte("more")))
			noErr(t, p.Close())
			l, err := readLog(bytes.NewReader(mustRead(t, name)))
			if err != nil || len(l.records) != len(records)+1 || string(l.records[len(records)]) != "more" {
				t.Errorf("cut to %d bytes: the log goes on with %q, error %v", n, l.records, err)
			}
			return nil
		}))
		noErr(t, s.Close())
		if want := n >= frameHead+len("header"); want != (visits == 1) {
			t.Errorf("cut to %d bytes: %d parts", n, visits)
		}
		if visits == 0 {
			if left := filesIn(t, dir); len(left) > 0 {
				t.Errorf("files are left: %q", left)
			}
			break
		}
	}
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	noErr(t, err)
	return b
}

func TestOrphans(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	defer s.Close()
	const size = store.SmallBlob + 1
	seal(t, s, 1, size) // pending
	committed, orphan, bare := seal(t, s, 2, size), seal(t, s, 3, size), seal(t, s, 4, size)
	for _, ref := range []store.BlobRef{committed, orphan, bare} {
		noErr(t, s.Confirm(t.Context(), ref, store.Confirmation{Number: 1}))
	}
	at, err := parseRef(bare)
	noErr(t, err)
	noErr(t, os.Remove(filepath.Join(dir, at.sidecar())))
	found := func(grace time.Duration) []store.BlobRef {
		list := []store.BlobRef{}
		noErr(t, s.Orphans(t.Context(), grace,
			func(ref store.BlobRef) (bool, error) { return ref == committed, nil },
			func(ref store.BlobRef) error { list = append(list, ref); return s.Remove(t.Context(), ref) }))
		slices.Sort(list)
		return list
	}
	same(t, "young orphans", found(time.Hour), []store.BlobRef{})
	want := []store.BlobRef{orphan, bare}
	slices.Sort(want)
	same(t, "orphans", found(0), want)
	same(t, "orphans afterwards", found(0), []store.BlobRef{})
}
