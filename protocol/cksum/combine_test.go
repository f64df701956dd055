package cksum

import (
	"math/rand/v2"
	"testing"
)

func TestCombine(t *testing.T) {
	p := content(70000)
	lengths := []int{0, 1, 2, 3, 15, 16, 17, 254, 255, 256, 257, 1000, 65535, 65536, 65537}
	for _, lenA := range lengths {
		for _, lenB := range lengths {
			if lenA+lenB > len(p) {
				continue
			}
			a, b := p[:lenA], p[lenA:lenA+lenB]
			got := Combine(Sum(a), Sum(b), uint64(lenA), uint64(lenB))
			if want := Sum(p[:lenA+lenB]); got != want {
				t.Errorf("Combine of %d and %d bytes = %d, want %d", lenA, lenB, got, want)
			}
		}
	}
}

// Any cuts, combined in any order that keeps neighbours together.
func TestCombineIsAssociative(t *testing.T) {
	type piece struct {
		sum    uint32
		length uint64
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		p := content(rng.IntN(3000))
		pieces := []piece{{Sum(nil), 0}}
		for rest := p; len(rest) > 0; {
			n := rng.IntN(len(rest) + 1)
			pieces = append(pieces, piece{Sum(rest[:n]), uint64(n)})
			rest = rest[n:]
		}
		for len(pieces) > 1 {
			i := rng.IntN(len(pieces) - 1)
			a, b := pieces[i], pieces[i+1]
			pieces[i] = piece{Combine(a.sum, b.sum, a.length, b.length), a.length + b.length}
			pieces = append(pieces[:i+1], pieces[i+2:]...)
		}
		if got, want := pieces[0].sum, bitwise(p); got != want {
			t.Fatalf("%d bytes: %d, want %d", len(p), got, want)
		}
	}
}

// Lengths beyond what a test could feed: the CRC of 2^k zero bytes is that of
// none, so a content of zeros shows what the lengths contribute.
func TestCombineOfHugeLengths(t *testing.T) {
	for _, n := range []uint64{1 << 31, 1<<32 - 1, 1 << 32, 1 << 40, 1<<56 + 1, 1 << 62} {
		zeros := finish(0, n)
		if got, want := Combine(zeros, zeros, n, n), finish(0, 2*n); got != want {
			t.Errorf("zeros of %d and %d bytes: %d, want %d", n, n, got, want)
		}
		// A byte in front of n zeros: by halves, or at once.
		one := Sum([]byte{1})
		atOnce := Combine(one, zeros, 1, n)
		half := finish(0, n/2)
		rest := finish(0, n-n/2)
		byHalves := Combine(Combine(one, half, 1, n/2), rest, 1+n/2, n-n/2)
		if atOnce != byHalves {
			t.Errorf("%d zeros at once: %d, by halves: %d", n, atOnce, byHalves)
		}
	}
}

func TestOverXIsTheInverseOfTimesX(t *testing.T) {
	for _, a := range []uint32{0, 1, 2, 1 << 31, polynomial, 0xFFFFFFFF, 0x12345678} {
		if got := overX(timesX(a)); got != a {
			t.Errorf("overX(timesX(%08x)) = %08x", a, got)
		}
	}
}

func FuzzCutAndCombine(f *testing.F) {
	f.Add([]byte(""), uint(0))
	f.Add([]byte("123456789"), uint(4))
	f.Add(content(300), uint(256))
	f.Fuzz(func(t *testing.T, p []byte, cut uint) {
		at := cut % uint(len(p)+1)
		a, b := p[:at], p[at:]
		want := bitwise(p)
		if got := Combine(Sum(a), Sum(b), uint64(len(a)), uint64(len(b))); got != want {
			t.Errorf("Combine = %d, want %d", got, want)
		}
		d := New()
		d.Write(a)
		d.Write(b)
		if got := d.Sum32(); got != want {
			t.Errorf("two writes = %d, want %d", got, want)
		}
	})
}

func BenchmarkCombine(b *testing.B) {
	for b.Loop() {
		Combine(1, 2, 1<<40+12345, 1<<40+54321)
	}
}
