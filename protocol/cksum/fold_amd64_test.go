//go:build !purego

package cksum

import "testing"

func TestFoldFactors(t *testing.T) {
	tests := []struct {
		name string
		got  uint64
		bits int
	}{
		{"by64Low", foldFactors.by64Low, 512},
		{"by64High", foldFactors.by64High, 512 + 64},
		{"by16Low", foldFactors.by16Low, 128},
		{"by16High", foldFactors.by16High, 128 + 64},
	}
	for _, test := range tests {
		power := uint32(1)
		for range test.bits {
			power = timesX(power)
		}
		if want := uint64(power); test.got != want {
			t.Errorf("%s = %#x, want x^%d = %#x", test.name, test.got, test.bits, want)
		}
	}
}

// Every number of whole blocks, with every rest.
func TestFoldingAgrees(t *testing.T) {
	if !canFold() {
		return // update never folds here, and TestUpdatesAgree covers what it does
	}
	p := content(1024)
	for n := foldMin; n <= len(p); n++ {
		if got, want := updateFolding(0xDEADBEEF, p[:n]), updateBytes(0xDEADBEEF, p[:n]); got != want {
			t.Fatalf("%d bytes: %08x, want %08x", n, got, want)
		}
	}
}
