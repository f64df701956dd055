package pack_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"testing"

	"filippo.io/age"

	"coffer/snapshot"
	"coffer/snapshot/pack"
)

const benchChunk = 1 << 20

func randomChunk() []byte {
	chunk := make([]byte, benchChunk)
	rand.NewChaCha8([32]byte{3}).Read(chunk)
	return chunk
}

// textChunk is what compresses to a third or so.
func textChunk() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 2000)
	for i := range words {
		word := make([]byte, 3+r.IntN(8))
		for j := range word {
			word[j] = byte('a' + r.IntN(26))
		}
		words[i] = string(word) + " "
	}
	var b bytes.Buffer
	for b.Len() < benchChunk {
		b.WriteString(words[r.IntN(1+r.IntN(len(words)))])
	}
	return b.Bytes()[:benchChunk]
}

func bench(b *testing.B, do func()) {
	b.SetBytes(benchChunk)
	b.ReportAllocs()
	for b.Loop() {
		do()
	}
}

// BenchmarkSteps says where the time of a backup goes, a chunk of 1 MiB each.
func BenchmarkSteps(b *testing.B) {
	w := newWorld(b, classic)
	random, text := randomChunk(), textChunk()
	compressor, err := pack.NewCompressor(1)
	if err != nil {
		b.Fatal(err)
	}
	var frame []byte
	b.Run("chunk id", func(b *testing.B) { bench(b, func() { w.keys.ChunkID(snapshot.Data, random) }) })
	b.Run("zstd random", func(b *testing.B) { bench(b, func() { frame = compressor.Compress(frame[:0], random) }) })
	b.Run("zstd text", func(b *testing.B) { bench(b, func() { frame = compressor.Compress(frame[:0], text) }) })
	b.Run("sha256", func(b *testing.B) { bench(b, func() { sha256.Sum256(random) }) })
	b.Run("age", func(b *testing.B) {
		sealer, err := age.Encrypt(io.Discard, w.to)
		if err != nil {
			b.Fatal(err)
		}
		bench(b, func() { sealer.Write(random) })
	})
	b.Run("writer", func(b *testing.B) {
		frame = compressor.Compress(frame[:0], random)
		out, err := pack.NewWriter(io.Discard, w.to)
		if err != nil {
			b.Fatal(err)
		}
		bench(b, func() {
			if out.Full() {
				out.Close()
				out, _ = pack.NewWriter(io.Discard, w.to)
			}
			if _, err := out.Add(snapshot.ChunkID{}, len(random), frame); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func BenchmarkRead(b *testing.B) {
	w := newWorld(b, hybrid)
	chunks := make([][]byte, 16)
	for i := range chunks {
		chunks[i] = randomChunk()
		chunks[i][0] = byte(i)
	}
	places := w.put(b, chunks...)
	r := w.reader(b)
	b.SetBytes(int64(len(chunks) * benchChunk))
	b.ReportAllocs()
	for b.Loop() {
		err := r.Chunks(b.Context(), snapshot.Data, places, func(_ int, _ []byte, err error) error { return err })
		if err != nil {
			b.Fatal(err)
		}
	}
}
