package cut_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"coffer/snapshot/cut"
)

func cutter(t testing.TB, key byte) *cut.Cutter {
	t.Helper()
	c, err := cut.New([32]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// random is n bytes of a fixed stream.
func random(n int) []byte {
	content := make([]byte, n)
	rand.NewChaCha8([32]byte{5}).Read(content)
	return content
}

// chunks cuts content.
func chunks(t testing.TB, c *cut.Cutter, src io.Reader) [][]byte {
	t.Helper()
	r := c.NewReader(src)
	var all [][]byte
	for {
		chunk, err := r.Next(make([]byte, 0, 2<<20))
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, chunk)
	}
}

func TestChunksAreTheContent(t *testing.T) {
	c := cutter(t, 1)
	for _, size := range []int{0, 1, cut.Min - 1, cut.Min, cut.Min + 1, 3 << 20, 20<<20 + 17} {
		content := random(size)
		all := chunks(t, c, bytes.NewReader(content))
		if !bytes.Equal(bytes.Join(all, nil), content) {
			t.Errorf("%d bytes came back as others", size)
		}
		for i, chunk := range all {
			if len(chunk) > cut.Max || len(chunk) < cut.Min && i < len(all)-1 {
				t.Errorf("a chunk of %d bytes", len(chunk))
			}
		}
	}
}

func TestBoundariesDoNotDependOnReads(t *testing.T) {
	c := cutter(t, 1)
	content := random(12 << 20)
	want := chunks(t, c, bytes.NewReader(content))
	for _, src := range []io.Reader{
		iotest.HalfReader(bytes.NewReader(content)),
		iotest.DataErrReader(bytes.NewReader(content)),
		&smallReader{bytes.NewReader(content), rand.New(rand.NewPCG(1, 2))},
	} {
		got := chunks(t, c, src)
		if len(got) != len(want) {
			t.Fatalf("%d chunks, not %d", len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("chunk %d differs", i)
			}
		}
	}
}

// smallReader returns odd amounts.
type smallReader struct {
	src io.Reader
	r   *rand.Rand
}

func (s *smallReader) Read(p []byte) (int, error) {
	return s.src.Read(p[:min(len(p), 1+s.r.IntN(100_000))])
}

func TestAnInsertedByteChangesOneChunk(t *testing.T) {
	c := cutter(t, 1)
	content := random(32 << 20)
	known := make(map[string]bool)
	for _, chunk := range chunks(t, c, bytes.NewReader(content)) {
		known[string(chunk)] = true
	}
	fresh := 0
	for _, chunk := range chunks(t, c, bytes.NewReader(append([]byte{1}, content...))) {
		if !known[string(chunk)] {
			fresh += len(chunk)
		}
	}
	if fresh > 4<<20 {
		t.Errorf("%d bytes in new chunks", fresh)
	}
}

func TestSizesAreNearTheAverage(t *testing.T) {
	c := cutter(t, 1)
	all := chunks(t, c, bytes.NewReader(random(48<<20)))
	if n := len(all); n < 48*2/3 || n > 48*3/2 {
		t.Errorf("%d chunks of 48 MiB", n)
	}
	for _, chunk := range chunks(t, c, bytes.NewReader(make([]byte, 20<<20))) {
		if len(chunk) > cut.Max {
			t.Errorf("a chunk of %d bytes of zeros", len(chunk))
		}
	}
}

func TestAnotherKeyCutsElsewhere(t *testing.T) {
	content := random(32 << 20)
	ends := make(map[int]bool)
	at := 0
	for _, chunk := range chunks(t, cutter(t, 1), bytes.NewReader(content)) {
		at += len(chunk)
		ends[at] = true
	}
	same, at := 0, 0
	for _, chunk := range chunks(t, cutter(t, 2), bytes.NewReader(content)) {
		if at += len(chunk); ends[at] && at < len(content) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d boundaries in common", same)
	}
}

func TestTheSourcesErrorIsPassedOn(t *testing.T) {
	broken := errors.New("broken")
	r := cutter(t, 1).NewReader(io.MultiReader(bytes.NewReader(random(1000)), iotest.ErrReader(broken)))
	if _, err := r.Next(nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func BenchmarkCut(b *testing.B) {
	c := cutter(b, 1)
	content := random(64 << 20)
	src := bytes.NewReader(content)
	r := c.NewReader(src)
	buf := make([]byte, 0, cut.Max)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(content)
		r.Reset(src)
		for {
			if _, err := r.Next(buf); err != nil {
				break
			}
		}
	}
}

// The sizes that ../testdata/vectors.json states, of the stream that it states.
func TestVectorOfCuts(t *testing.T) {
	text, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Cut struct {
			Key   string
			Bytes int
			Sizes []int
		}
	}
	if err := json.Unmarshal(text, &v); err != nil || len(v.Cut.Sizes) == 0 {
		t.Fatalf("no vector: %v", err)
	}
	var key [32]byte
	if _, err := hex.Decode(key[:], []byte(v.Cut.Key)); err != nil {
		t.Fatal(err)
	}
	c, err := cut.New(key)
	if err != nil {
		t.Fatal(err)
	}
	var content []byte
	for block := uint64(0); len(content) < v.Cut.Bytes; block++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("coffer cut vector"), block))
		content = append(content, sum[:]...)
	}
	var sizes []int
	for _, chunk := range chunks(t, c, bytes.NewReader(content)) {
		sizes = append(sizes, len(chunk))
	}
	if !slices.Equal(sizes, v.Cut.Sizes) {
		t.Errorf("%v, not %v", sizes, v.Cut.Sizes)
	}
}
