package take_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Many small files: what each costs beside its content.
func BenchmarkSmallFiles(b *testing.B) {
	root := b.TempDir()
	const files = 20_000
	for i := range files {
		dir := filepath.Join(root, fmt.Sprint(i%100))
		if i < 100 {
			if err := os.Mkdir(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Appendf(nil, "content of file %d, and some more of it", i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, again := range []bool{false, true} {
		b.Run(fmt.Sprint("again=", again), func(b *testing.B) {
			m := newMachine(b)
			for b.Loop() {
				if !again {
					m = newMachine(b)
				}
				if _, err := m.try(m.options().WithClock(later), root); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/files, "µs/file")
		})
	}
}
