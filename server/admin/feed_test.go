package admin

import (
	"testing"
	"time"
)

// Of a flood of activities, a hundred a second are sent; of the rest everyone
// learns how many there were, with what comes next.
func TestFeedFlood(t *testing.T) {
	now := time.Unix(1000, 0)
	f := NewFeed(nil)
	for second := range 3 {
		reported := 0
		for range 2 * feedFlood {
			if !f.flooded(now.Add(time.Duration(second) * time.Second)) {
				reported++
			}
		}
		if reported != feedFlood {
			t.Errorf("%d reported in second %d", reported, second)
		}
	}
	sub, leave := f.subscribe()
	defer leave()
	f.miss()
	f.miss()
	f.send(Event{Stats: new(Stats)})
	f.send(Event{Stats: new(Stats)})
	if first, second := <-sub.events, <-sub.events; first.Missed != 2 || second.Missed != 0 {
		t.Errorf("missed %d, then %d", first.Missed, second.Missed)
	}
	for range feedRoom + 5 {
		f.send(Event{Stats: new(Stats)})
	}
	for range feedRoom {
		if e := <-sub.events; e.Missed != 0 {
			t.Errorf("missed %d before any was", e.Missed)
		}
	}
	f.send(Event{Stats: new(Stats)})
	if e := <-sub.events; e.Missed != 5 {
		t.Errorf("missed %d of 5", e.Missed)
	}
	f.close()
	if _, open := <-sub.events; open || f.listening.Load() != 0 {
		t.Error("open after the end")
	}
}
