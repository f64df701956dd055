package cksum

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// vectors were made with GNU cksum; see their "about".
type vectors struct {
	Content []struct {
		Length int
		Cksum  uint32
	} `json:"cksum_of_content"`
	Text []struct {
		Text  string
		Cksum uint32
	} `json:"cksum_of_text"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Content) == 0 || len(v.Text) == 0 {
		t.Fatal("no vectors")
	}
	return v
}

// content returns the first n bytes of SHA-256(u64le 0) || SHA-256(u64le 1) ...
func content(n int) []byte {
	b := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(b) < n; i++ {
		block := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, i))
		b = append(b, block[:]...)
	}
	return b[:n]
}

// bitwise is the checksum as POSIX words it: one bit after the other.
func bitwise(p []byte) uint32 {
	var crc uint32
	feed := func(b byte) {
		for bit := 7; bit >= 0; bit-- {
			top := crc>>31 ^ uint32(b)>>bit&1
			crc <<= 1
			if top != 0 {
				crc ^= 0x04C11DB7
			}
		}
	}
	for _, b := range p {
		feed(b)
	}
	for n := len(p); n > 0; n >>= 8 {
		feed(byte(n))
	}
	return ^crc
}

// updates are the ways in which this build can compute a CRC.
var updates = map[string]func(uint32, []byte) uint32{
	"update":   update,
	"portable": updatePortable,
	"bytes":    updateBytes,
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	check := func(t *testing.T, p []byte, want uint32) {
		t.Helper()
		if got := Sum(p); got != want {
			t.Errorf("Sum = %d, want %d", got, want)
		}
		if got := bitwise(p); got != want {
			t.Errorf("bitwise reference = %d, want %d", got, want)
		}
		for name, update := range updates {
			if got := finish(update(0, p), uint64(len(p))); got != want {
				t.Errorf("%s = %d, want %d", name, got, want)
			}
		}
	}
	for _, c := range v.Content {
		t.Run(strconv.Itoa(c.Length), func(t *testing.T) { check(t, content(c.Length), c.Cksum) })
	}
	for _, c := range v.Text {
		t.Run(strconv.Quote(c.Text), func(t *testing.T) { check(t, []byte(c.Text), c.Cksum) })
	}
}

// Every length near the seams of the fast paths, at every alignment.
func TestUpdatesAgree(t *testing.T) {
	p := content(3*reverseMax + 64)
	lengths := []int{reverseMin - 1, reverseMin, reverseMax - 1, reverseMax, reverseMax + 1, 3*reverseMax + 7}
	for n := range 300 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		for _, offset := range []int{0, 1, 7, 8, 15} {
			p := p[offset : offset+n]
			want := updateBytes(0x9E3779B9, p)
			for name, update := range updates {
				if got := update(0x9E3779B9, p); got != want {
					t.Errorf("%s of %d bytes at %d = %08x, want %08x", name, n, offset, got, want)
				}
			}
		}
	}
}

func TestWriteInAnyCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := content(rng.IntN(5000))
		d := New()
		for rest := p; len(rest) > 0; {
			n := rng.IntN(len(rest) + 1)
			if got, err := d.Write(rest[:n]); got != n || err != nil {
				t.Fatalf("Write = %d, %v, want %d", got, err, n)
			}
			rest = rest[n:]
			d.Sum32() // must not disturb what follows
		}
		if got, want := d.Sum32(), bitwise(p); got != want {
			t.Fatalf("%d bytes in pieces: %d, want %d", len(p), got, want)
		}
		if d.Len() != uint64(len(p)) {
			t.Fatalf("Len = %d, want %d", d.Len(), len(p))
		}
	}
}

func TestHashInterface(t *testing.T) {
	var h hash.Cloner = New()
	h.Write([]byte("123456789"))
	if got, want := h.Sum([]byte{0xAA}), []byte{0xAA, 0x37, 0x7A, 0x60, 0x11}; !bytes.Equal(got, want) {
		t.Errorf("Sum = %x, want %x", got, want)
	}
	if h.Size() != Size || h.BlockSize() != 1 {
		t.Errorf("Size, BlockSize = %d, %d", h.Size(), h.BlockSize())
	}
	clone, err := h.Clone()
	if err != nil {
		t.Fatal(err)
	}
	h.Reset()
	if got, want := h.Sum(nil), New().Sum(nil); !bytes.Equal(got, want) {
		t.Errorf("after Reset: %x, want %x", got, want)
	}
	clone.Write([]byte("0"))
	if got, want := clone.(*Digest).Sum32(), Sum([]byte("1234567890")); got != want {
		t.Errorf("clone = %d, want %d", got, want)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	p := content(1000)
	var sum uint32
	if n := testing.AllocsPerRun(100, func() { sum = Sum(p[:reverseMin-1]) }); n != 0 {
		t.Errorf("Sum allocates %v times", n)
	}
	if sum != bitwise(p[:reverseMin-1]) {
		t.Error("wrong sum")
	}
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{64, 4 << 10, 256 << 10} {
		p := content(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Sum(p)
			}
		})
	}
}

func BenchmarkPortable(b *testing.B) {
	p := content(256 << 10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		updatePortable(0, p)
	}
}
