package fair

import "testing"

func TestGate(t *testing.T) {
	g := NewGate(10, 15)
	for i, step := range []struct {
		key  string
		n    int64
		want Full
	}{{"a", 6, NotFull}, {"a", 5, KeyFull}, {"a", 4, NotFull}, {"b", 5, NotFull}, {"c", 1, AllFull}} {
		if got := g.Enter(step.key, step.n); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
	g.Leave("a", 10)
	g.Leave("b", 5)
	if g.Used() != 0 || len(g.by) != 0 {
		t.Errorf("left behind: %d, %v", g.used, g.by)
	}
}
