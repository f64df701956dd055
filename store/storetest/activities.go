package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"coffer/store"
)

// newActivity fills every field, so that one that is lost is noticed.
func newActivity(n int) store.Activity {
	kinds := store.ActivityKinds()
	return store.Activity{
		At: noon.Add(time.Duration(n) * time.Second), Kind: kinds[n%len(kinds)],
		Outcome: []store.Outcome{store.OutcomeOK, store.OutcomeWarning, store.OutcomeFailed}[n%3],
		Client:  clientID(n % 4), Name: fmt.Sprint("client ", n%4), File: fmt.Sprint("файл ", n), Version: uint32(n) + 1<<31,
		Bytes: int64(n) << 33, Took: time.Duration(n) * time.Microsecond, Detail: fmt.Sprint("what happened ", n), Address: fmt.Sprint("192.0.2.", n%256),
	}
}

// testActivities compares what is found with what was noted, by filters made
// at random, while some of it is queued and some written.
func testActivities(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	none, err := c.Activities(ctx, store.ActivityFilter{Limit: 10})
	must(t, "of nothing", err)
	wantEqual(t, "of nothing", len(none), 0)
	var noted []store.Activity // the newest first
	note := func(a store.Activity) {
		got := c.NoteActivity(a)
		if len(noted) > 0 && got.ID <= noted[0].ID || got.ID <= 0 {
			t.Fatalf("ID %d after %d", got.ID, noted[0].ID)
		}
		a.ID = got.ID
		wantEqual(t, "noted", got, a)
		noted = slices.Insert(noted, 0, got)
	}
	note(store.Activity{At: noon, Kind: store.ActivityServer, Outcome: store.OutcomeOK}) // with little in it
	for n := range 3000 {                                                                // more than an implementation lets queue
		note(newActivity(n))
		if n%1000 == 0 {
			must(t, "change something", c.SetSetting(ctx, "n", []byte{byte(n)}))
		}
	}
	kinds, random := store.ActivityKinds(), rand.New(rand.NewPCG(1, 2))
	for n := range 400 {
		note(newActivity(n))
		if n%7 == 0 {
			must(t, "change something", c.SetSetting(ctx, "n", []byte{byte(n)}))
		}
		f := store.ActivityFilter{Limit: random.IntN(50)}
		if random.IntN(2) == 0 {
			f.Client = clientID(random.IntN(5))
		}
		if random.IntN(3) == 0 {
			f.Outcome = store.OutcomeFailed
		}
		for range random.IntN(4) {
			f.Kinds = append(f.Kinds, kinds[random.IntN(len(kinds))])
		}
		if random.IntN(3) == 0 {
			f.Before = noted[random.IntN(len(noted))].ID
		}
		if random.IntN(3) == 0 {
			f.After = noted[random.IntN(len(noted))].ID
		}
		var want []store.Activity
		for _, a := range noted {
			if f.Matches(a) && len(want) < f.Limit {
				want = append(want, a)
			}
		}
		got, err := c.Activities(ctx, f)
		must(t, "activities", err)
		wantEqual(t, fmt.Sprintf("activities by %+v", f), got, want)
	}
}

// testMatches checks the filter by itself, which testActivities relies on.
func testMatches(t *testing.T, _ store.Catalog) {
	a := store.Activity{ID: 10, Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: clientID(1)}
	for _, tt := range []struct {
		f    store.ActivityFilter
		want bool
	}{
		{store.ActivityFilter{}, true},
		{store.ActivityFilter{Before: 11, After: 9, Client: clientID(1), Outcome: store.OutcomeOK, Kinds: []store.ActivityKind{store.ActivityRestore, store.ActivityUpload}}, true},
		{store.ActivityFilter{Before: 10}, false},
		{store.ActivityFilter{After: 10}, false},
		{store.ActivityFilter{Client: clientID(2)}, false},
		{store.ActivityFilter{Outcome: store.OutcomeFailed}, false},
		{store.ActivityFilter{Kinds: []store.ActivityKind{store.ActivityRestore}}, false},
	} {
		wantEqual(t, fmt.Sprintf("%+v matches", tt.f), tt.f.Matches(a), tt.want)
	}
}
