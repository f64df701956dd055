package metrics

import (
	"testing"
	"time"
)

// The pace of something steady is its speed; it follows one that changes, and
// begins anew with one that begins anew.
func TestPace(t *testing.T) {
	now := time.Unix(1000, 0)
	var p Pace
	done := int64(0)
	for range 10 {
		p.Look(now, done)
		now, done = now.Add(time.Second), done+1000
	}
	if rate := p.Look(now, done); rate < 999 || rate > 1001 {
		t.Errorf("the pace of 1000 a second is %g", rate)
	}
	if rate := p.Look(now.Add(time.Millisecond), done+500); rate < 999 || rate > 1001 {
		t.Errorf("looked at again at once it is %g", rate)
	}
	for range 30 {
		p.Look(now, done)
		now = now.Add(time.Second)
	}
	if rate := p.Look(now, done); rate > 10 {
		t.Errorf("at rest it is %g", rate)
	}
	if rate := p.Look(now, 0); rate != 0 || p.done != 0 {
		t.Errorf("begun anew: %g from %d", rate, p.done)
	}
}
