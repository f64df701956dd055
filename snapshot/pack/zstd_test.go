package pack_test

import (
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// decompress reads a stream of zstd frames, skipping those of padding.
func decompress(t testing.TB, r io.Reader) io.Reader {
	t.Helper()
	dec, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dec.Close)
	return dec
}
