package files

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"coffer/store"
)

// A pack goes with its last blob, unless it is the one that is written to.
func TestPacksAreRemoved(t *testing.T) {
	dir := t.TempDir()
	var s *Store
	refs := make(map[int][]store.BlobRef)
	for i := range 60 {
		if i%7 == 0 { // with and without counts of an earlier run
			if s != nil {
				noErr(t, s.Close())
			}
			s = openTest(t, dir, PackSize(20_000))
		}
		ref := putSmall(t, s, i, 3000)
		at, err := parseRef(ref)
		noErr(t, err)
		refs[at.pack] = append(refs[at.pack], ref)
	}
	defer func() { noErr(t, s.Close()) }()
	last := len(refs)
	if last < 5 {
		t.Fatalf("there are only %d packs", last)
	}
	for number, list := range refs {
		for i, ref := range list {
			if number == 2 && i == 0 {
				continue
			}
			noErr(t, s.Remove(t.Context(), ref))
			noErr(t, s.Remove(t.Context(), ref))
		}
	}
	same(t, "files", filesIn(t, dir), []string{packName(2), packName(last)})
	same(t, "pending", len(pendingUploads(t, s)), 1)
	for range 10 {
		noErr(t, s.Remove(t.Context(), putSmall(t, s, 99, 3000)))
	}
	same(t, "number of files", len(filesIn(t, dir)), 2)
}

// A faultyDisk has packs whose writes and syncs can be made to fail.
type faultyDisk struct {
	packFiles
	room      atomic.Int64 // bytes that can still be written
	badSync   atomic.Bool
	badCreate atomic.Bool
}

type faultyPack struct {
	packFile
	disk *faultyDisk
}

func (d *faultyDisk) create(number int) (packFile, error) {
	if d.badCreate.Load() {
		return nil, syscall.ENOSPC
	}
	f, err := d.packFiles.create(number)
	return faultyPack{f, d}, err
}

func (d *faultyDisk) open(number int) (packFile, error) {
	f, err := d.packFiles.open(number)
	return faultyPack{f, d}, err
}

func (f faultyPack) WriteAt(b []byte, offset int64) (int, error) {
	room := f.disk.room.Load()
	if int64(len(b)) <= room {
		f.disk.room.Add(-int64(len(b)))
		return f.packFile.WriteAt(b, offset)
	}
	n, err := f.packFile.WriteAt(b[:room], offset)
	f.disk.room.Store(0)
	return n, errors.Join(err, syscall.ENOSPC)
}

func (f faultyPack) Sync() error {
	if f.disk.badSync.Load() {
		return syscall.EIO
	}
	return f.packFile.Sync()
}

func openFaulty(t *testing.T, dir string) (*Store, *faultyDisk) {
	t.Helper()
	s := openTest(t, dir)
	noErr(t, s.packs.close())
	disk := &faultyDisk{packFiles: rootFiles{s.root}}
	disk.room.Store(1 << 40)
	var err error
	s.packs, err = openPacks(disk, 64<<20)
	noErr(t, err)
	return s, disk
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	s, disk := openFaulty(t, dir)
	before := putSmall(t, s, 1, 4000)
	disk.room.Store(6000)
	var wg sync.WaitGroup
	var stored, full atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			_, err := s.Put(t.Context(), meta(100+i, 4000), random(1, 4000))
			switch {
			case err == nil:
				stored.Add(1)
			case errors.Is(err, store.ErrFull):
				full.Add(1)
			default:
				t.Errorf("put on a full disk: %v", err)
			}
		})
	}
	wg.Wait()
	if stored.Load() > 1 || full.Load() < 19 {
		t.Errorf("with room for one, %d were stored and %d refused", stored.Load(), full.Load())
	}
	noErr(t, s.Remove(t.Context(), put0(t, s, disk)))
	after := putSmall(t, s, 2, 4000)
	noErr(t, s.Close())

	s = openTest(t, dir)
	defer s.Close()
	for n, ref := range map[uint64]store.BlobRef{1: before, 2: after} {
		got, err := read(t, s, ref)
		if err != nil || !bytes.Equal(got, random(n, 4000)) {
			t.Errorf("blob %d: %v", n, err)
		}
	}
	same(t, "pending", len(pendingUploads(t, s)), 2+int(stored.Load()))
}

// put0 makes room on the disk and stores something.
func put0(t *testing.T, s *Store, disk *faultyDisk) store.BlobRef {
	t.Helper()
	disk.room.Store(1 << 40)
	return putSmall(t, s, 0, 10)
}

// After a sync that failed nobody knows what the file holds: it gets no more.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	s, disk := openFaulty(t, dir)
	before := putSmall(t, s, 1, 100)
	disk.badSync.Store(true)
	if _, err := s.Put(t.Context(), meta(2, 100), random(2, 100)); !errors.Is(err, syscall.EIO) {
		t.Errorf("put with a failing sync: got error %v", err)
	}
	disk.badCreate.Store(true)
	if _, err := s.Put(t.Context(), meta(3, 100), random(3, 100)); !errors.Is(err, store.ErrFull) {
		t.Errorf("put without a new pack: got error %v", err)
	}
	disk.badSync.Store(false)
	disk.badCreate.Store(false)
	after := putSmall(t, s, 4, 100)
	at, err := parseRef(after)
	noErr(t, err)
	same(t, "pack of the next", at.pack, 2)
	noErr(t, s.Confirm(t.Context(), before, store.Confirmation{Number: 1}))
	same(t, "pending", pendingUploads(t, s), []int{4})
	noErr(t, s.Close())
	s = openTest(t, dir)
	defer s.Close()
	same(t, "pending after reopen", pendingUploads(t, s), []int{4})
}

// Packs that nobody touched since are not read for what is pending.
func TestPendingSkipsOldPacks(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, PackSize(5000))
	for i := range 6 {
		putSmall(t, s, i, 3000)
	}
	noErr(t, s.Close())
	old := time.Now().Add(-48 * time.Hour)
	noErr(t, os.Chtimes(filepath.Join(dir, packName(1)), old, old))
	noErr(t, os.Chmod(filepath.Join(dir, packName(1)), 0o600))
	overwrite(t, filepath.Join(dir, packName(2)), 64, make([]byte, 64)) // reading it is noticed
	noErr(t, os.Chtimes(filepath.Join(dir, packName(2)), old, old))
	s = openTest(t, dir)
	defer s.Close()
	since := goldenMetadata().Received.Add(-time.Second)
	found := 0
	err := s.Pending(t.Context(), since, func(store.StoredBlob) error { found++; return nil })
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("since before the packs: got error %v", err)
	}
	err = s.Pending(t.Context(), time.Now().Add(-24*time.Hour), func(store.StoredBlob) error { return nil })
	noErr(t, err)
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "received_files")
	s := openTest(t, dir)
	defer s.Close()
	putSmall(t, s, 1, 10)
	seal(t, s, 2, store.SmallBlob+1)
	noErr(t, s.PutAccountRecord(t.Context(), store.AccountRecord{}))
	p, err := s.NewPart(t.Context(), store.UploadID{9}, nil)
	noErr(t, err)
	defer p.Close()
	_, err = p.Waiting().WriteAt([]byte("x"), 0)
	noErr(t, err)
	noErr(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
		return err
	}))
}

// BenchmarkPut32 is 32 clients that each store blobs of 4 KiB.
func BenchmarkPut32(b *testing.B) {
	s := openTest(b, b.TempDir())
	disk := &countingDisk{packFiles: rootFiles{s.root}}
	noErr(b, s.packs.close())
	var err error
	s.packs, err = openPacks(disk, 64<<20)
	noErr(b, err)
	content := random(1, 4096)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 32 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				l := meta(int(n), 4096)
				l.Name, l.WrappedKey = fmt.Sprintf("folder/file %07d", n), content[:384]
				ref, err := s.Put(b.Context(), l, content)
				if err == nil {
					err = s.Confirm(b.Context(), ref, store.Confirmation{Number: 1})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
	b.ReportMetric(float64(b.N)/float64(disk.syncs.Load()), "puts/sync")
	noErr(b, s.Close())
}

// A countingDisk counts the syncs of packs.
type countingDisk struct {
	packFiles
	syncs atomic.Int64
}

type countingPack struct {
	packFile
	disk *countingDisk
}

func (d *countingDisk) create(number int) (packFile, error) {
	f, err := d.packFiles.create(number)
	return countingPack{f, d}, err
}

func (p countingPack) Sync() error {
	p.disk.syncs.Add(1)
	return p.packFile.Sync()
}
