package server_test

import (
	"context"
	"sync"
	"testing"

	"coffer/store"
)

// A name that differs from a registered one only in case, or in how its accents
// are written, is refused; existing pairs keep working, and a name that was
// freed is free.
func TestNamesThatDifferInCase(t *testing.T) {
	c := startCore(t, nil)
	w := dial(t, c.public)
	w.register("ada")
	for _, name := range []string{"ADA", "Ada", "ada", "aDA"} {
		w.send(1025, field(name))
		w.expectEmpty(1601)
	}
	w.register("adam")
	w.register("Élan")
	w.send(1025, field("éLAN"))
	w.expectEmpty(1601)
	for _, name := range []string{"E\u0301lan", "e\u0301LAN"} { // as macOS writes it
		w.send(1025, field(name))
		w.expectEmpty(1601)
	}
	w.register("Rene\u0301e")
	for _, name := range []string{"Renée", "RENÉE"} {
		w.send(1025, field(name))
		w.expectEmpty(1601)
	}

	// As a catalog of before has it.
	pair := store.Client{ID: store.ClientID{7}, Name: "ADA"}
	if err := c.catalog.AddClient(context.Background(), pair); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "ADA"} {
		if _, err := c.catalog.ClientByName(context.Background(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of many at once, one gets the name.
func TestNamesThatDifferInCaseAtOnce(t *testing.T) {
	c := startCore(t, nil)
	names := []string{"grace", "Grace", "gRace", "grAce", "graCe", "gracE", "GRACE", "GRace"}
	var mu sync.Mutex
	granted := 0
	var wg sync.WaitGroup
	for _, name := range names {
		w := dial(t, c.public)
		wg.Go(func() {
			w.send(1025, field(name))
			if code, _, err := w.receive(); err == nil && code == 1600 {
				mu.Lock()
				granted++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if granted != 1 {
		t.Errorf("%d got it", granted)
	}
}
