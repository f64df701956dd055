package seal

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const benchSize = 64 << 20

func BenchmarkSeal(b *testing.B) {
	id := newIdentity(b)
	content := pattern(benchSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		w, err := Seal(io.Discard, id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	id := newIdentity(b)
	file := sealed(b, pattern(benchSize), id)
	b.SetBytes(benchSize)
	for b.Loop() {
		r, err := Open(bytes.NewReader(file), id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// sourceTree is about 100 MB of source text in 10,000 files.
// sourceTree is the source of Go's own library: a real tree of some size.
func sourceTree(tb testing.TB) string {
	tb.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src")
}

func BenchmarkArchive(b *testing.B) {
	_, total, err := Measure(b.Context(), sourceTree(b))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(total)
	for b.Loop() {
		var size counter
		if err := Archive(b.Context(), sourceTree(b), &size, ArchiveOptions{}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(total)/float64(size), "ratio")
	}
}

func BenchmarkUnpack(b *testing.B) {
	_, total, err := Measure(b.Context(), sourceTree(b))
	if err != nil {
		b.Fatal(err)
	}
	var archive bytes.Buffer
	if err := Archive(b.Context(), sourceTree(b), &archive, ArchiveOptions{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(total)
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "dir")
		if err := unpackInto(b.Context(), bytes.NewReader(archive.Bytes()), dir, UnpackOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
