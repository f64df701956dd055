package server

import (
	"net/netip"
	"testing"
	"time"

	"coffer/store"
)

// Guesses end sessions at the third, space further ones ever wider, are
// forgotten in time, and concern nobody elsewhere.
func TestGuesses(t *testing.T) {
	now := time.Unix(1000, 0)
	g := newGuesses()
	ada := store.ClientID{1}
	who := guesser{ada, network{netip.MustParsePrefix("10.0.0.1/32")}}
	for n, want := range []bool{false, false, true, true} {
		if over := g.add(who, wrongPadding, now); over != want {
			t.Errorf("guess %d: %v", n+1, over)
		}
	}
	for _, other := range []guesser{{ada, network{netip.MustParsePrefix("10.0.0.2/32")}}, {store.ClientID{2}, who.from}, {ada, network{}}} {
		if wait, ok := g.turn(other, now); wait != 0 || !ok || g.over(other, now) {
			t.Errorf("%v waits %v", other, wait)
		}
	}
	var waits []time.Duration
	for range 4 {
		wait, ok := g.turn(who, now)
		if !ok {
			break
		}
		waits = append(waits, wait)
	}
	if len(waits) != 2 || waits[0] != 2*time.Second || waits[1] != 4*time.Second {
		t.Errorf("sessions wait %v", waits)
	}
	// A day of guessing whenever a session is to be had.
	sessions := 0
	for end := now.Add(24 * time.Hour); now.Before(end); now = now.Add(time.Second) {
		if _, ok := g.turn(who, now); ok {
			sessions++
			g.add(who, wrongPadding, now)
		}
	}
	if sessions > 24*3600/60+60 {
		t.Errorf("%d sessions in a day", sessions)
	}
	now = now.Add(30 * 24 * time.Hour)
	if wait, ok := g.turn(who, now); wait != 0 || !ok || g.over(who, now) {
		t.Error("nothing is ever forgotten")
	}
	for i := range 2 * maxGuessers {
		g.add(guesser{client: store.ClientID{byte(i), byte(i >> 8), byte(i >> 16)}}, neverConfirmed, now)
	}
	if len(g.of) > maxGuessers {
		t.Errorf("%d are remembered", len(g.of))
	}
}
