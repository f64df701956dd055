package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"coffer/store"
)

func testFormerKeys(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	client := newClient(1)
	client.PasswordHash = "hash one"
	must(t, "add", c.AddClient(ctx, client))
	began := time.Now()
	former := func(want ...store.FormerKey) {
		t.Helper()
		got, err := c.FormerKeys(ctx, client.ID)
		must(t, "former keys", err)
		since := map[store.FormerKeyKind]time.Time{}
		for _, k := range slices.Backward(got) { // the clock is the catalog's
			if before, ok := since[k.Kind]; ok && !k.Since.Equal(before) {
				t.Errorf("in force since %v, and the one before until %v", k.Since, before)
			}
			if k.Until.Before(began) || k.Until.After(time.Now()) {
				t.Errorf("replaced at %v, not now", k.Until)
			}
			since[k.Kind] = k.Until
		}
		for i := range got {
			got[i].Since, got[i].Until = time.Time{}, time.Time{}
		}
		wantEqual(t, "former keys", got, want)
	}
	setKey := func(der, hash string) {
		t.Helper()
		_, err := c.UpdateClient(ctx, client.ID, func(client *store.Client) error {
			client.PublicKey, client.OAEPHash = []byte(der), hash
			return nil
		})
		must(t, "set key", err)
	}
	former()
	setKey("first", "sha1")
	must(t, "first bundle", c.SetKeyBundle(ctx, client.ID, []byte("bundle 1")))
	former()
	setKey("first", "sha1")
	must(t, "the same bundle", c.SetKeyBundle(ctx, client.ID, []byte("bundle 1")))
	former()

	setKey("second", "sha256")
	key := store.FormerKey{Kind: store.FormerPublicKey, Value: []byte("first"), OAEPHash: "sha1"}
	former(key)
	must(t, "second bundle", c.SetKeyBundle(ctx, client.ID, []byte("bundle 2")))
	one := store.FormerKey{Kind: store.FormerBundle, Value: []byte("bundle 1"), PasswordHash: "hash one"}
	former(one, key)
	_, err := c.UpdateSignIn(ctx, client.ID, []byte("bundle 3"), func(client *store.Client) error {
		client.PasswordHash = "hash two"
		return nil
	})
	must(t, "sign-in", err)
	two := store.FormerKey{Kind: store.FormerBundle, Value: []byte("bundle 2"), PasswordHash: "hash one"}
	former(two, one, key)

	owners, err := c.ForgetFormerKeys(ctx, began)
	must(t, "forget none", err)
	wantEqual(t, "owners of none", owners, nil)
	owners, err = c.ForgetFormerKeys(ctx, time.Now().Add(time.Hour))
	must(t, "forget all", err)
	wantEqual(t, "owners", owners, []store.ClientID{client.ID})
	former()

	must(t, "keep", c.AddFormerKey(ctx, client.ID, store.FormerKey{Kind: store.FormerBundle, Since: noon, Until: noon.Add(time.Hour), Value: []byte("x")}))
	_, err = c.RemoveClient(ctx, client.ID)
	must(t, "remove", err)
	must(t, "add again", c.AddClient(ctx, client))
	former()
	wantErr(t, "for nobody", c.AddFormerKey(ctx, clientID(2), key), store.ErrNoClient)
}

// Who replaces a bundle again and again does not push out the one that had
// lasted.
func testFormerKeysThatLasted(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	client := newClient(1) // since noon, years ago
	must(t, "add", c.AddClient(ctx, client))
	must(t, "good", c.SetKeyBundle(ctx, client.ID, []byte("good")))
	for i := range 3 * store.MaxFormerKeys {
		must(t, "replace", c.SetKeyBundle(ctx, client.ID, fmt.Append(nil, "bad ", i)))
	}
	got, err := c.FormerKeys(ctx, client.ID)
	must(t, "former keys", err)
	wantEqual(t, "former keys", len(got), store.MaxFormerKeys)
	wantEqual(t, "the oldest", string(got[len(got)-1].Value), "good")
	wantEqual(t, "the newest", string(got[0].Value), fmt.Sprint("bad ", 3*store.MaxFormerKeys-2))
}
