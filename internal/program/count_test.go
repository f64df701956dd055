package program_test

import (
	"testing"

	"coffer/internal/program"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 versions", 1: "1 version", 2: "2 versions", 1234: "1,234 versions"} {
		if got := program.Count(n, "version", "versions"); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
