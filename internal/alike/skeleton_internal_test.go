package alike

import (
	"testing"

	"github.com/mtibben/confusables"
)

// What is done for ASCII alone is what is done for all.
func TestSkeletonOfASCII(t *testing.T) {
	for c := byte(' '); c < 0x7F; c++ {
		name := "a" + string(c) + "b"
		if got, want := skeleton(name), confusables.Skeleton(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
