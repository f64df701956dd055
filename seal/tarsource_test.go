package seal

import (
	"testing"

	"coffer/internal/fileattr"
)

func TestTrailingZeros(t *testing.T) {
	for _, length := range []int{0, 1, fileattr.HoleSize - 1, fileattr.HoleSize, fileattr.HoleSize + 1, 3*fileattr.HoleSize + 7} {
		b := make([]byte, length)
		if got := trailingZeros(b); got != length {
			t.Errorf("%d zeros: %d", length, got)
		}
		for _, last := range []int{0, 1, fileattr.HoleSize - 1, fileattr.HoleSize, 2 * fileattr.HoleSize, length - 1} {
			if last < 0 || last >= length {
				continue
			}
			clear(b)
			b[last] = 1
			if got, want := trailingZeros(b), length-1-last; got != want {
				t.Errorf("%d bytes, the last not zero at %d: %d, want %d", length, last, got, want)
			}
		}
	}
}
