package seal

import "testing"

func TestTrailingZeros(t *testing.T) {
	for _, length := range []int{0, 1, holeSize - 1, holeSize, holeSize + 1, 3*holeSize + 7} {
		b := make([]byte, length)
		if got := trailingZeros(b); got != length {
			t.Errorf("%d zeros: %d", length, got)
		}
		for _, last := range []int{0, 1, holeSize - 1, holeSize, 2 * holeSize, length - 1} {
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
