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
	owner, flooder := addSince(t, c, 1, 30*24*time.Hour), addSince(t, c, 2, 30*24*time.Hour)
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

// addSince adds a client that registered a while ago and stored something.
func addSince(t *testing.T, c *Catalog, n int, ago time.Duration) store.ClientID {
	t.Helper()
	id := store.ClientID{byte(n), byte(n >> 8), 2}
	if err := c.AddClient(t.Context(), store.Client{ID: id, Name: fmt.Sprint("since ", n), Created: time.Now().Add(-ago)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Commit(t.Context(), testVersion(id, "f", 1), store.Retention{}); err != nil {
		t.Fatal(err)
	}
	return id
}

// However many accounts are made, from however many networks, and whatever they
// do in their first week, activities of other accounts stay. Accounts that
// stored something give way after accounts that did not, and one network's
// before another network's.
func TestFloodOfNewAccounts(t *testing.T) {
	const keep = 120
	for name, flood := range map[string]struct {
		stored  bool
		address func(n int) string
		gone    bool // the accounts are removed
	}{
		"one network":           {address: func(int) string { return "203.0.113.9" }},
		"one /64":               {address: func(n int) string { return fmt.Sprintf("2001:db8::%x", n) }},
		"many networks":         {address: func(n int) string { return fmt.Sprintf("2001:db8:0:%x::1", n) }},
		"stored":                {stored: true, address: func(n int) string { return fmt.Sprintf("2001:db8:0:%x::1", n) }},
		"removed":               {gone: true, address: func(int) string { return "203.0.113.9" }},
		"stored and removed":    {stored: true, gone: true, address: func(n int) string { return fmt.Sprintf("203.0.113.%d", n%256) }},
		"mapped":                {address: func(n int) string { return "::ffff:203.0.113.9" }},
		"address of the others": {address: func(int) string { return "192.0.2.1" }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "defensive.db")
			c, err := Open(t.Context(), path, KeepActivities(keep))
			if err != nil {
				t.Fatal(err)
			}
			note := func(id store.ClientID, address string, kind store.ActivityKind, outcome store.Outcome) {
				c.NoteActivity(store.Activity{At: time.Now(), Kind: kind, Outcome: outcome, Client: id, Address: address})
			}
			owner := addSince(t, c, 1, 30*24*time.Hour)
			for range 20 {
				note(owner, "192.0.2.1", store.ActivityUpload, store.OutcomeOK)
			}
			note(owner, "192.0.2.1", store.ActivitySignIn, store.OutcomeOK)
			note(owner, "198.51.100.7", store.ActivitySignIn, store.OutcomeFailed)
			note(owner, "192.0.2.1", store.ActivityRemoval, store.OutcomeOK)
			note(owner, "192.0.2.1", store.ActivityError, store.OutcomeFailed)
			note(store.ClientID{}, "", store.ActivitySettings, store.OutcomeOK)
			fresh := store.ClientID{1, 1, 1} // stores something within its first minutes
			if err := c.AddClient(t.Context(), store.Client{ID: fresh, Name: "fresh", Created: time.Now()}); err != nil {
				t.Fatal(err)
			}
			note(fresh, "192.0.2.8", store.ActivityRegistration, store.OutcomeOK)
			note(fresh, "192.0.2.8", store.ActivityKeyExchange, store.OutcomeOK)
			if _, _, err := c.Commit(t.Context(), testVersion(fresh, "f", 1), store.Retention{}); err != nil {
				t.Fatal(err)
			}
			note(fresh, "192.0.2.8", store.ActivityUpload, store.OutcomeOK)
			leaver := addSince(t, c, 2, 30*24*time.Hour)
			c.NoteActivity(store.Activity{At: time.Now().Add(-30 * 24 * time.Hour), Kind: store.ActivityRegistration, Outcome: store.OutcomeOK, Client: leaver})
			if _, err := c.RemoveClient(t.Context(), leaver); err != nil {
				t.Fatal(err)
			}
			c.NoteActivity(store.Activity{At: time.Now(), Kind: store.ActivityRemoval, Outcome: store.OutcomeOK, Client: leaver, Bytes: 4096})

			for n := range 200 {
				id := store.ClientID{byte(n), byte(n >> 8), 3}
				address := flood.address(n)
				note(id, address, store.ActivityRegistration, store.OutcomeOK)
				note(id, address, store.ActivityKeyExchange, store.OutcomeOK)
				note(id, address, store.ActivitySignIn, store.OutcomeOK)
				note(id, address, store.ActivitySignIn, store.OutcomeFailed)
				if flood.stored {
					note(id, address, store.ActivityUpload, store.OutcomeOK)
				}
				if flood.gone {
					note(id, address, store.ActivityRemoval, store.OutcomeOK)
				}
				if n%90 == 0 { // some of it is written, the rest waits
					if err := c.SetSetting(t.Context(), "n", nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, again := range []bool{false, true} {
				if again {
					if c, err = Open(t.Context(), path, KeepActivities(keep)); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if c, err = Open(t.Context(), path, KeepActivities(10*keep)); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if n := inFile(t, c); n != keep {
				t.Errorf("%d are kept, not %d", n, keep)
			}
			want := map[store.ClientID]int{owner: 24, fresh: 3, leaver: 2}
			if flood.stored {
				delete(want, fresh) // new like the flood: from other networks some of it may stay
			}
			for id, n := range want {
				found, err := c.Activities(t.Context(), store.ActivityFilter{Client: id, Limit: keep})
				if err != nil || len(found) != n {
					t.Errorf("%x: %d of %d are left: %v", id[:1], len(found), n, err)
				}
			}
			if found, err := c.Activities(t.Context(), store.ActivityFilter{Kinds: []store.ActivityKind{store.ActivitySettings}, Limit: keep}); err != nil || len(found) != 1 {
				t.Errorf("of the operator's %d are left, %v", len(found), err)
			}
		})
	}
}

// What is undone is as if it had never been.
func TestHistoryUndone(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	stored := make(map[store.ClientID]bool)
	h := newHistory(func(id store.ClientID) (acquaintance, bool) {
		return acquaintance{since: int64(id[0]) * int64(24*time.Hour), stored: stored[id]}, id[0] < 10
	})
	contents := func() string {
		var all []string
		for s, p := range h.of {
			all = append(all, fmt.Sprint(s, p.all))
		}
		slices.Sort(all)
		return fmt.Sprint(h.counts, all)
	}
	for i := range int64(150) {
		var batch []store.Activity
		for range random.IntN(40) {
			batch = append(batch, store.Activity{
				ID: i*100 + int64(len(batch)), At: time.Unix(0, i*int64(time.Hour)), Client: store.ClientID{byte(random.IntN(13))},
				Kind: store.ActivityKinds()[random.IntN(5)], Outcome: store.OutcomeOK, Address: fmt.Sprint("192.0.2.", random.IntN(3)),
			})
		}
		stored[store.ClientID{byte(random.IntN(13))}] = true
		for n := range batch {
			h.meet(&batch[n])
		}
		before := contents()
		var added []noted
		for n := range batch {
			added = append(added, h.add(&batch[n]))
		}
		dropped := h.drop(30)
		if h.count() > 30 {
			t.Fatalf("%d are kept", h.count())
		}
		if random.IntN(2) == 0 {
			h.undo(added, dropped)
			if after := contents(); after != before {
				t.Fatalf("before %s\nafter %s", before, after)
			}
		}
	}
}
