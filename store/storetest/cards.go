package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"coffer/store"
)

func testCards(t *testing.T, s *reopener) {
	ctx := t.Context()
	type card struct {
		client store.Client
		bundle []byte
	}
	full := newClient(1)
	full.Name = "Zoë <שלום>"
	full.PublicKey, full.PasswordHash, full.Suspended = []byte{1, 2, 3}, "$argon2id$", true
	bare := store.Client{ID: clientID(2), Name: "bare"}
	cards := func() []card {
		var found []card
		must(t, "cards", s.Cards(ctx, func(c store.Client, bundle []byte) error {
			found = append(found, card{c, bundle})
			return nil
		}))
		slices.SortFunc(found, func(a, b card) int { return slices.Compare(a.client.ID[:], b.client.ID[:]) })
		return found
	}
	wantEqual(t, "no cards", cards(), nil)

	live := full
	live.SessionKey, live.LastSeen = []byte("secret"), noon.Add(time.Hour)
	must(t, "put", s.PutCard(ctx, bare, []byte("old")))
	must(t, "put", s.PutCard(ctx, live, []byte("bundle")))
	must(t, "put again", s.PutCard(ctx, bare, nil))
	want := []card{{full, []byte("bundle")}, {bare, nil}}
	slices.SortFunc(want, func(a, b card) int { return slices.Compare(a.client.ID[:], b.client.ID[:]) })
	for range 2 {
		wantEqual(t, "cards", cards(), want)
		s.reopen()
	}
	stop := errors.New("stop")
	wantErr(t, "stopped visit", s.Cards(ctx, func(store.Client, []byte) error { return stop }), stop)

	must(t, "remove", s.RemoveCard(ctx, full.ID))
	must(t, "remove again", s.RemoveCard(ctx, full.ID))
	for range 2 {
		wantEqual(t, "cards left", cards(), []card{{bare, nil}})
		s.reopen()
	}
}
