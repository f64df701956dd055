package seal

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// heapWatch sees how far the heap grows while something streams through it.
type heapWatch struct {
	r     io.Reader
	read  int64
	next  int64
	start uint64
	peak  uint64
}

func watchHeap(r io.Reader) *heapWatch {
	w := &heapWatch{r: r}
	runtime.GC()
	w.start = liveHeap()
	return w
}

func liveHeap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func (w *heapWatch) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.read += int64(n)
	if w.read >= w.next {
		w.next += 4 << 20
		w.peak = max(w.peak, liveHeap())
	}
	return n, err
}

func (w *heapWatch) growth() int64 { return int64(w.peak) - int64(w.start) }

// zeros reads as size zeros.
func zeros(size int64) io.Reader { return io.LimitReader(zeroReader{}, size) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestSealingTakesConstantMemory(t *testing.T) {
	const size, limit = 256 << 20, 24 << 20
	id := newIdentity(t)
	file, sealing := io.Pipe()
	go func() {
		w, err := Seal(sealing, id)
		if err == nil {
			_, err = io.Copy(w, zeros(size))
		}
		if err == nil {
			err = w.Close()
		}
		sealing.CloseWithError(err)
	}()
	watch := watchHeap(file)
	content, err := Open(watch, id)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, content)
	if err != nil || n != size {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	if watch.growth() > limit {
		t.Errorf("the heap grew by %d bytes for a stream of %d", watch.growth(), size)
	}
}

func TestArchivingTakesConstantMemory(t *testing.T) {
	const size, limit = 256 << 20, 64 << 20
	root := t.TempDir()
	big := filepath.Join(root, "big")
	writeFile(t, big, "")
	if err := os.Truncate(big, size); err != nil { // takes no room
		t.Fatal(err)
	}
	id := newIdentity(t)
	r, w := io.Pipe()
	archived := make(chan error)
	go func() {
		sealing, err := Seal(w, id)
		if err == nil {
			err = Archive(t.Context(), root, sealing, ArchiveOptions{})
		}
		if err == nil {
			err = sealing.Close()
		}
		w.CloseWithError(err)
		archived <- err
	}()
	content, err := Open(r, id)
	if err != nil {
		t.Fatal(err)
	}
	watch := watchHeap(content)
	// The archive is small, so every piece of it is looked at.
	dir := filepath.Join(t.TempDir(), "dir")
	if err := unpackInto(t.Context(), pieces{watch}, dir, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-archived; err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "big")); err != nil || info.Size() != size {
		t.Fatalf("got %v, %v", info, err)
	}
	if watch.growth() > limit {
		t.Errorf("the heap grew by %d bytes for a file of %d", watch.growth(), size)
	}
}

// pieces reads little at once and has the heap looked at each time.
type pieces struct{ watch *heapWatch }

func (p pieces) Read(b []byte) (int, error) {
	p.watch.next = 0
	return p.watch.Read(b[:min(len(b), 1024)])
}
