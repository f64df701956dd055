package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"coffer/store"
)

func testAccountRecords(t *testing.T, s *reopener) {
	ctx := t.Context()
	full := store.AccountRecord{Client: newClient(1), Bundle: []byte("bundle")}
	full.Client.Name = "Zoë <שלום>"
	full.Client.PublicKey, full.Client.PasswordHash, full.Client.Suspended = []byte{1, 2, 3}, "$argon2id$", true
	full.Client.BaseClosed, full.Client.APIID = true, store.APIID{9}
	full.Former = []store.FormerKey{
		{Kind: store.FormerBundle, Since: noon, Until: noon.Add(2 * time.Hour), Value: []byte("old bundle"), PasswordHash: "$argon2id$old"},
		{Kind: store.FormerPublicKey, Since: noon, Until: noon.Add(time.Hour), Value: []byte{3, 2, 1}, OAEPHash: "sha1"},
	}
	bare := store.AccountRecord{Client: store.Client{ID: clientID(2), Name: "bare"}}
	records := func() []store.AccountRecord {
		var found []store.AccountRecord
		must(t, "account records", s.AccountRecords(ctx, func(c store.AccountRecord) error {
			found = append(found, c)
			return nil
		}))
		slices.SortFunc(found, byID)
		return found
	}
	wantEqual(t, "no records", records(), nil)

	live, old := full, bare
	live.Client.SessionKey, live.Client.LastSeen = []byte("secret"), noon.Add(time.Hour)
	old.Bundle, old.Former, old.Client.BaseClosed = []byte("old"), full.Former, true
	must(t, "put", s.PutAccountRecord(ctx, old))
	must(t, "put", s.PutAccountRecord(ctx, live))
	must(t, "put again", s.PutAccountRecord(ctx, bare))
	want := []store.AccountRecord{full, bare}
	slices.SortFunc(want, byID)
	for range 2 {
		wantEqual(t, "account records", records(), want)
		s.reopen()
	}
	stop := errors.New("stop")
	wantErr(t, "stopped visit", s.AccountRecords(ctx, func(store.AccountRecord) error { return stop }), stop)

	must(t, "remove", s.RemoveAccountRecord(ctx, full.Client.ID))
	must(t, "remove again", s.RemoveAccountRecord(ctx, full.Client.ID))
	for range 2 {
		wantEqual(t, "records left", records(), []store.AccountRecord{bare})
		s.reopen()
	}
}

func byID(a, b store.AccountRecord) int { return slices.Compare(a.Client.ID[:], b.Client.ID[:]) }
