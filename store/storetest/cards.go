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
	full := store.Card{Client: newClient(1), Bundle: []byte("bundle")}
	full.Client.Name = "Zoë <שלום>"
	full.Client.PublicKey, full.Client.PasswordHash, full.Client.Suspended = []byte{1, 2, 3}, "$argon2id$", true
	full.Client.BaseClosed, full.Client.APIID = true, store.APIID{9}
	full.Former = []store.FormerKey{
		{Kind: store.FormerBundle, Since: noon, Until: noon.Add(2 * time.Hour), Value: []byte("old bundle"), PasswordHash: "$argon2id$old"},
		{Kind: store.FormerPublicKey, Since: noon, Until: noon.Add(time.Hour), Value: []byte{3, 2, 1}, OAEPHash: "sha1"},
	}
	bare := store.Card{Client: store.Client{ID: clientID(2), Name: "bare"}}
	cards := func() []store.Card {
		var found []store.Card
		must(t, "cards", s.Cards(ctx, func(c store.Card) error {
			found = append(found, c)
			return nil
		}))
		slices.SortFunc(found, byID)
		return found
	}
	wantEqual(t, "no cards", cards(), nil)

	live, old := full, bare
	live.Client.SessionKey, live.Client.LastSeen = []byte("secret"), noon.Add(time.Hour)
	old.Bundle, old.Former, old.Client.BaseClosed = []byte("old"), full.Former, true
	must(t, "put", s.PutCard(ctx, old))
	must(t, "put", s.PutCard(ctx, live))
	must(t, "put again", s.PutCard(ctx, bare))
	want := []store.Card{full, bare}
	slices.SortFunc(want, byID)
	for range 2 {
		wantEqual(t, "cards", cards(), want)
		s.reopen()
	}
	stop := errors.New("stop")
	wantErr(t, "stopped visit", s.Cards(ctx, func(store.Card) error { return stop }), stop)

	must(t, "remove", s.RemoveCard(ctx, full.Client.ID))
	must(t, "remove again", s.RemoveCard(ctx, full.Client.ID))
	for range 2 {
		wantEqual(t, "cards left", cards(), []store.Card{bare})
		s.reopen()
	}
}

func byID(a, b store.Card) int { return slices.Compare(a.Client.ID[:], b.Client.ID[:]) }
