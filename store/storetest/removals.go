package storetest

import (
	"slices"
	"testing"

	"coffer/store"
)

func testRemovals(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	underway := func() []store.ClientID {
		t.Helper()
		ids, err := c.Removals(ctx)
		must(t, "removals", err)
		slices.SortFunc(ids, func(a, b store.ClientID) int { return slices.Compare(a[:], b[:]) })
		return ids
	}
	wantEqual(t, "none", underway(), nil)
	client := newClient(1)
	must(t, "add", c.AddClient(ctx, client))
	for _, id := range []store.ClientID{{2}, client.ID, {1}, {2}} {
		must(t, "begin", c.BeginRemoval(ctx, id))
	}
	want := []store.ClientID{client.ID, {1}, {2}}
	slices.SortFunc(want, func(a, b store.ClientID) int { return slices.Compare(a[:], b[:]) })
	wantEqual(t, "begun", underway(), want)
	_, err := c.RemoveClient(ctx, client.ID)
	must(t, "remove", err)
	wantEqual(t, "gone and not ended", underway(), want)
	must(t, "end", c.EndRemoval(ctx, store.ClientID{1}))
	must(t, "end again", c.EndRemoval(ctx, store.ClientID{1}))
	must(t, "end the client's", c.EndRemoval(ctx, client.ID))
	wantEqual(t, "left", underway(), []store.ClientID{{2}})
	must(t, "ping", c.Ping(ctx))
}
