package server

import "testing"

// A name that two register at once is reserved until both have ended.
func TestLikeGuard(t *testing.T) {
	var g likeGuard
	take := func(name string, want bool) func() {
		t.Helper()
		release, ok := g.take(name)
		if ok != want {
			t.Fatalf("%s: %v", name, ok)
		}
		return release
	}
	first, second := take("ada", true), take("ada", true)
	first()
	take("ADA", false)
	take("аda", false) // with a Cyrillic letter
	second()
	take("ADA", true)()
	if len(g.underway) != 0 {
		t.Errorf("left: %v", g.underway)
	}
}
