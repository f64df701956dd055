package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/store"
)

// A flood of one client's pushes out neither what others did, nor its own of
// another kind or outcome; nor does it while nothing can be written.
func TestFloodOfActivities(t *testing.T) {
	path := filepath.Join(t.TempDir(), "defensive.db")
	c, err := Open(t.Context(), path, KeepActivities(500))
	if err != nil {
		t.Fatal(err)
	}
	owner, flooder := store.ClientID{1}, store.ClientID{2}
	note := func(client store.ClientID, kind store.ActivityKind, outcome store.Outcome, n int) {
		for i := range n {
			c.NoteActivity(store.Activity{At: time.Now(), Kind: kind, Outcome: outcome, Client: client, Detail: fmt.Sprint(i)})
		}
	}
	note(owner, store.ActivityUpload, store.OutcomeOK, 50)
	note(owner, store.ActivitySignIn, store.OutcomeFailed, 20)
	note(flooder, store.ActivityRemoval, store.OutcomeOK, 7)
	note(store.ClientID{}, store.ActivityError, store.OutcomeFailed, 5)
	for range 5 { // more than can wait at once
		note(flooder, store.ActivityUpload, store.OutcomeFailed, 7000)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(t.Context(), path, KeepActivities(300)); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n := inFile(t, c); n != 300 {
		t.Errorf("%d are kept, not 300", n)
	}
	for _, tt := range []struct {
		f    store.ActivityFilter
		want int
	}{
		{store.ActivityFilter{Client: owner, Kinds: []store.ActivityKind{store.ActivityUpload}}, 50},
		{store.ActivityFilter{Client: owner, Outcome: store.OutcomeFailed}, 20},
		{store.ActivityFilter{Client: flooder, Kinds: []store.ActivityKind{store.ActivityRemoval}}, 7},
		{store.ActivityFilter{Kinds: []store.ActivityKind{store.ActivityError}}, 5},
		{store.ActivityFilter{Client: flooder, Kinds: []store.ActivityKind{store.ActivityUpload}}, 300 - 82},
	} {
		tt.f.Limit = 1000
		found, err := c.Activities(t.Context(), tt.f)
		if err != nil || len(found) != tt.want {
			t.Errorf("%+v: %d, want %d, %v", tt.f, len(found), tt.want, err)
		}
	}
}

// What is undone is as if it had never been.
func TestHistoryUndone(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	h, id := newHistory(), int64(0)
	contents := func() string {
		var all []string
		for s, p := range h.of {
			all = append(all, fmt.Sprint(s.kind, p.ids))
		}
		slices.Sort(all)
		return fmt.Sprint(h.count, all)
	}
	for range 300 {
		before := contents()
		var added []noted
		for range random.IntN(40) {
			id++
			e := noted{sort{kind: store.ActivityKinds()[random.IntN(5)]}, id}
			added = append(added, e)
			h.add(e.sort, e.id)
		}
		dropped := h.drop(30)
		if h.count > 30 {
			t.Fatalf("%d are kept", h.count)
		}
		if random.IntN(2) == 0 {
			h.undo(added, dropped)
			if after := contents(); after != before {
				t.Fatalf("before %s\nafter %s", before, after)
			}
		}
	}
}
