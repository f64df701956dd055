package crypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// pad returns p with PKCS#7 padding.
func pad(p []byte) []byte {
	n := BlockSize - len(p)%BlockSize
	return append(bytes.Clone(p), bytes.Repeat([]byte{byte(n)}, n)...)
}

// unpad is the inverse of pad, and nil for what pad does not return.
func unpad(padded []byte) []byte {
	for n := 1; n <= BlockSize; n++ {
		if p := padded[:len(padded)-n]; bytes.Equal(pad(p), padded) {
			return p
		}
	}
	return nil
}

// stdlibEncrypt encrypts whole blocks at once.
func stdlibEncrypt(key SessionKey, padded []byte) []byte {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, make([]byte, BlockSize)).CryptBlocks(out, padded)
	return out
}

// stdlibDecrypt decrypts whole blocks at once.
func stdlibDecrypt(key SessionKey, ciphertext []byte) []byte {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, make([]byte, BlockSize)).CryptBlocks(out, ciphertext)
	return out
}

// eachSchedule runs test for every way in which this build can run CBC.
func eachSchedule(t *testing.T, key SessionKey, test func(t *testing.T, s *schedule)) {
	t.Helper()
	for name, s := range schedules(key) {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func encrypterWith(s *schedule) *Encrypter { return &Encrypter{chain{schedule: s}} }
func decrypterWith(s *schedule) *Decrypter { return &Decrypter{chain: chain{schedule: s}} }

// cuts cuts p anywhere, empty pieces included.
func cuts(rng *rand.Rand, p []byte) (pieces [][]byte) {
	longest := 1 + rng.IntN(len(p)+1)
	for len(p) > 0 {
		n := rng.IntN(min(longest, len(p)) + 1)
		pieces = append(pieces, p[:n])
		p = p[n:]
	}
	return pieces
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	eachSchedule(t, SessionKey(v.SessionKey), func(t *testing.T, s *schedule) {
		for _, c := range v.CBC {
			plaintext := content(c.Length)
			e := encrypterWith(s)
			ciphertext := e.Finish(e.Append(nil, plaintext))
			if sum := sha256.Sum256(ciphertext); !bytes.Equal(sum[:], c.CiphertextSHA256) || len(ciphertext) != c.CiphertextLength {
				t.Errorf("%d bytes: %d bytes of ciphertext with SHA-256 %x", c.Length, len(ciphertext), sum)
			}
			if c.Ciphertext != nil && !bytes.Equal(ciphertext, c.Ciphertext) {
				t.Errorf("%d bytes: ciphertext %x, want %x", c.Length, ciphertext, []byte(c.Ciphertext))
			}
			d := decrypterWith(s)
			got, err := d.Finish(d.Append(nil, ciphertext))
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%d bytes: do not come back: %v", c.Length, err)
			}
		}
	})
}

// Every length through every path, whole and in pieces, against the standard
// library.
func TestStreamEqualsStdlib(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var lengths []int
	for n := range 1001 {
		lengths = append(lengths, n)
	}
	lengths = append(lengths, 4095, 4096, 4097, 100_000, 1<<20, 1<<20+5)
	all := content(lengths[len(lengths)-1])

	eachSchedule(t, testKey, func(t *testing.T, s *schedule) {
		for _, n := range lengths {
			plaintext := all[:n]
			want := stdlibEncrypt(testKey, pad(plaintext))

			e := encrypterWith(s)
			var ciphertext []byte
			for _, piece := range cuts(rng, plaintext) {
				ciphertext = e.Append(ciphertext, piece)
			}
			if e.Len() != uint64(n) {
				t.Fatalf("%d bytes: Encrypter.Len = %d", n, e.Len())
			}
			if ciphertext = e.Finish(ciphertext); !bytes.Equal(ciphertext, want) {
				t.Fatalf("%d bytes: ciphertext differs from the standard library's", n)
			}

			d := decrypterWith(s)
			var got []byte
			for _, piece := range cuts(rng, ciphertext) {
				got = d.Append(got, piece)
				if d.Len() != uint64(len(got)) || d.Padding() != 0 {
					t.Fatalf("%d bytes: after %d Len = %d, Padding = %d", n, len(got), d.Len(), d.Padding())
				}
			}
			got, err := d.Finish(got)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Fatalf("%d bytes: do not come back: %v", n, err)
			}
			if d.Len() != uint64(n) || d.Padding() != len(want)-n {
				t.Fatalf("%d bytes: at the end Len = %d, Padding = %d", n, d.Len(), d.Padding())
			}
		}
	})
}

// dst's spare capacity may lie anywhere relative to the chunk.
func TestOverlap(t *testing.T) {
	const room = 64
	eachSchedule(t, testKey, func(t *testing.T, s *schedule) {
		for _, n := range []int{1, 15, 16, 17, 32, 33, 127, 128, 129, 300} {
			for _, held := range []int{0, 1, 7, 15, 16} {
				for shift := -room; shift <= room; shift++ {
					before, chunk := content(held), content(held + n)[held:]
					fresh := func() (dst, src []byte) {
						buf := make([]byte, 4*room+n)
						src = buf[room : room+n]
						copy(src, chunk)
						return buf[room+shift : room+shift], src
					}

					e := encrypterWith(s)
					e.Append(nil, before)
					want := e.Clone().Append(nil, chunk)
					if got := e.Append(fresh()); !bytes.Equal(got, want) {
						t.Fatalf("encrypting %d bytes after %d to %+d differs", n, held, shift)
					}

					d := decrypterWith(s)
					d.Append(nil, before)
					want = d.Clone().Append(nil, chunk)
					if got := d.Append(fresh()); !bytes.Equal(got, want) {
						t.Fatalf("decrypting %d bytes after %d to %+d differs", n, held, shift)
					}
				}
			}
		}
	})
}

func TestCloneIsIndependent(t *testing.T) {
	plaintext := content(1000)
	want := stdlibEncrypt(testKey, pad(plaintext))

	e := NewEncrypter(testKey)
	ciphertext := e.Append(nil, plaintext[:333])
	snapshot := e.Clone()
	e.Append(nil, []byte("something else"))
	if got := snapshot.Finish(snapshot.Append(ciphertext, plaintext[333:])); !bytes.Equal(got, want) {
		t.Error("a clone of an Encrypter does not go on where it was taken")
	}

	d := NewDecrypter(testKey)
	got := d.Append(nil, want[:333])
	saved := d.Clone()
	d.Append(nil, []byte("something else"))
	got, err := saved.Finish(saved.Append(got, want[333:]))
	if err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("a clone of a Decrypter does not go on where it was taken: %v", err)
	}
}

func TestFinishLeavesTheStream(t *testing.T) {
	plaintext := content(100)
	e := NewEncrypter(testKey)
	ciphertext := e.Append(nil, plaintext[:50])
	e.Finish(nil)
	if got := e.Finish(e.Append(ciphertext, plaintext[50:])); !bytes.Equal(got, stdlibEncrypt(testKey, pad(plaintext))) {
		t.Error("Encrypter goes on wrongly after Finish")
	}

	// Two paddings in one stream: what was one at first is content later.
	twice := append(pad(plaintext), pad(plaintext)...)
	ciphertext = stdlibEncrypt(testKey, twice)
	d := NewDecrypter(testKey)
	got := d.Append(nil, ciphertext[:112])
	if first, err := d.Finish(got); err != nil || !bytes.Equal(first, plaintext) || d.Len() != 100 {
		t.Errorf("first half: Len = %d, %v", d.Len(), err)
	}
	got = d.Append(got, ciphertext[112:])
	if d.Padding() != 0 {
		t.Error("Padding survives an Append")
	}
	got, err := d.Finish(got)
	if want := twice[:212]; err != nil || !bytes.Equal(got, want) || d.Len() != 212 || d.Padding() != 12 {
		t.Errorf("both halves: Len = %d, Padding = %d, %v", d.Len(), d.Padding(), err)
	}
}

func TestFinishRefuses(t *testing.T) {
	block := func(last ...byte) []byte {
		return append(make([]byte, 2*BlockSize-len(last)), last...)
	}
	whole := bytes.Repeat([]byte{16}, BlockSize)
	tests := []struct {
		name   string
		padded []byte // before encryption
		cut    int    // bytes of ciphertext left away
		want   error
	}{
		{"no ciphertext", nil, 0, ErrTruncated},
		{"one byte short", block(1), 1, ErrTruncated},
		{"one byte of a block", block(1), 15, ErrTruncated},
		{"padding of 0", block(0), 0, ErrPadding},
		{"padding of 17", block(bytes.Repeat([]byte{17}, 17)...), 0, ErrPadding},
		{"padding of 255", block(255), 0, ErrPadding},
		{"first byte of 16 wrong", append([]byte{15}, whole[1:]...), 0, ErrPadding},
		{"first byte of 2 wrong", block(3, 2), 0, ErrPadding},
		{"middle byte of 3 wrong", block(3, 2, 3), 0, ErrPadding},
		{"padding of 1", block(1), 0, nil},
		{"padding of 16, nothing else", whole, 0, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ciphertext := stdlibEncrypt(testKey, test.padded)
			d := NewDecrypter(testKey)
			got := d.Append(nil, ciphertext[:len(ciphertext)-test.cut])
			finished, err := d.Finish(got)
			if !errors.Is(err, test.want) {
				t.Fatalf("err = %v, want %v", err, test.want)
			}
			if err != nil && (len(finished) != len(got) || d.Padding() != 0) {
				t.Errorf("after %v: %d bytes more, padding %d", err, len(finished)-len(got), d.Padding())
			}
		})
	}
}

func TestLengths(t *testing.T) {
	for _, test := range []struct{ plain, cipher uint64 }{
		{0, 16}, {1, 16}, {15, 16}, {16, 32}, {17, 32}, {1<<32 - 1, 1 << 32}, {1 << 40, 1<<40 + 16},
	} {
		if got := CiphertextLen(test.plain); got != test.cipher {
			t.Errorf("CiphertextLen(%d) = %d, want %d", test.plain, got, test.cipher)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	if !runsAssembly {
		return // the standard library's modes allocate
	}
	e, d := NewEncrypter(testKey), NewDecrypter(testKey)
	allocs := testing.AllocsPerRun(100, func() {
		var plain, room [1000]byte // on the stack, and there they stay
		cipher := e.Append(room[:0], plain[:900])
		if _, err := d.Finish(d.Append(plain[:0], cipher)); errors.Is(err, ErrTruncated) {
			t.Error(err)
		}
		e.Finish(cipher)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzCuts(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add(content(100), uint64(1))
	f.Add(stdlibEncrypt(testKey, pad(content(333))), uint64(2))
	f.Fuzz(func(t *testing.T, p []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for name, s := range schedules(testKey) {
			e := encrypterWith(s)
			var ciphertext []byte
			for _, piece := range cuts(rng, p) {
				ciphertext = e.Append(ciphertext, piece)
			}
			if want := stdlibEncrypt(testKey, pad(p)); !bytes.Equal(e.Finish(ciphertext), want) {
				t.Fatalf("%s: encryption differs", name)
			}

			// p as a ciphertext that anybody may have sent.
			d := decrypterWith(s)
			var got []byte
			for _, piece := range cuts(rng, p) {
				got = d.Append(got, piece)
			}
			got, err := d.Finish(got)
			if len(p) == 0 || len(p)%BlockSize != 0 {
				if !errors.Is(err, ErrTruncated) {
					t.Fatalf("%s: err = %v, want ErrTruncated", name, err)
				}
				continue
			}
			padded := stdlibDecrypt(testKey, p)
			want, wantErr := unpad(padded), error(nil)
			if want == nil {
				want, wantErr = padded[:len(padded)-BlockSize], ErrPadding
			}
			if !bytes.Equal(got, want) || !errors.Is(err, wantErr) {
				t.Fatalf("%s: %d bytes, %v, want %d, %v", name, len(got), err, len(want), wantErr)
			}
		}
	})
}

func BenchmarkCBC(b *testing.B) {
	for _, n := range []int{4 << 10, 256 << 10} {
		block, err := aes.NewCipher(testKey[:])
		if err != nil {
			b.Fatal(err)
		}
		src, dst := content(n), make([]byte, n+2*BlockSize)
		bench := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					f()
				}
			})
		}
		e, d := NewEncrypter(testKey), NewDecrypter(testKey)
		std := func(mode cipher.BlockMode) func() { return func() { mode.CryptBlocks(dst[:n], src) } }
		bench("encrypt/stdlib", std(cipher.NewCBCEncrypter(block, make([]byte, BlockSize))))
		bench("encrypt/ours", func() { e.Append(dst[:0], src) })
		bench("encrypt/ours/in place", func() { e.Append(src[:0], src) })
		bench("decrypt/stdlib", std(cipher.NewCBCDecrypter(block, make([]byte, BlockSize))))
		bench("decrypt/ours", func() { d.Append(dst[:0], src) })
		bench("decrypt/ours/in place", func() { d.Append(src[:0], src) })
	}
}

func BenchmarkNewEncrypter(b *testing.B) {
	for b.Loop() {
		NewEncrypter(testKey)
	}
}

func ExampleEncrypter() {
	e := NewEncrypter(SessionKey{})
	var ciphertext []byte
	for _, chunk := range []string{"cut ", "anywhere, ", "as it comes"} {
		ciphertext = e.Append(ciphertext, []byte(chunk))
	}
	ciphertext = e.Finish(ciphertext)

	d := NewDecrypter(SessionKey{})
	plaintext, err := d.Finish(d.Append(nil, ciphertext))
	fmt.Println(strconv.Quote(string(plaintext)), err, d.Padding())
	// Output: "cut anywhere, as it comes" <nil> 7
}
