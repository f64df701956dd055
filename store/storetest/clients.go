package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"coffer/store"
)

func testClients(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	full := store.Client{
		ID:           clientID(1),
		Name:         "Zoë שלום",
		Kind:         "cpp_client",
		PublicKey:    []byte{0x30, 0},
		OAEPHash:     "sha1",
		PasswordHash: "$argon2id$v=19$",
		SessionKey:   []byte{9, 8, 7},
		Suspended:    true,
		BaseClosed:   true,
		APIID:        store.APIID{4, 5},
		Created:      noon,
		LastSeen:     noon.Add(time.Second),
	}
	bare := store.Client{ID: clientID(2), Name: "bare"}
	for _, want := range []store.Client{full, bare} {
		must(t, "add", c.AddClient(ctx, want))
		got, err := c.Client(ctx, want.ID)
		must(t, "by id", err)
		wantEqual(t, "by id", got, want)
		got, err = c.ClientByName(ctx, want.Name)
		must(t, "by name", err)
		wantEqual(t, "by name", got, want)
	}
	got, err := c.ClientByAPIID(ctx, full.APIID)
	must(t, "by API id", err)
	wantEqual(t, "by API id", got, full)
	for _, id := range []store.APIID{{}, {5, 4}, store.APIID(full.ID)} {
		_, err := c.ClientByAPIID(ctx, id)
		wantErr(t, "unknown API id", err, store.ErrNoClient)
	}
	_, err = c.Client(ctx, store.ClientID(full.APIID))
	wantErr(t, "an API id as a client's", err, store.ErrNoClient)
	_, err = c.Client(ctx, clientID(3))
	wantErr(t, "unknown id", err, store.ErrNoClient)
	for _, name := range []string{"", "Bare", "bare ", "bar"} {
		_, err = c.ClientByName(ctx, name)
		wantErr(t, fmt.Sprintf("name %q", name), err, store.ErrNoClient)
	}
}

// Names that look alike are found if they were added and not removed; the
// catalog itself takes both.
func testNameLike(t *testing.T, c store.Catalog) {
	t.Helper()
	ctx := t.Context()
	like := func(name, want string) {
		t.Helper()
		got, err := c.NameLike(ctx, name)
		must(t, "name like", err)
		wantEqual(t, "name like "+name, got, want)
	}
	like("ADA", "")
	for i, name := range []string{"ada", "ΣΊΣΥΦΟΣ", "Élan"} {
		client := newClient(70 + i)
		client.Name = name
		must(t, "add", c.AddClient(ctx, client))
		like(name, "")
	}
	like("ADA", "ada")
	like("σίσυφος", "ΣΊΣΥΦΟΣ")
	like("éLAN", "Élan")
	like("E\u0301lan", "Élan")
	like("e\u0301LAN", "Élan")
	like("elan", "")
	like("аda", "ada") // with a Cyrillic a
	like("ａｄａ", "ada")
	like("ad", "")
	pair := newClient(80)
	pair.Name = "Ada"
	must(t, "add a pair", c.AddClient(ctx, pair))
	like("ada", "Ada")
	_, err := c.RemoveClient(ctx, pair.ID)
	must(t, "remove", err)
	like("ada", "")
	like("ADA", "ada")
	testLookalike(t, c)
}

// Lookalike names are found, whichever of them came first, also names that a
// registration would accept.
func testLookalike(t *testing.T, c store.Catalog) {
	t.Helper()
	ctx := t.Context()
	looks := func(name string, want ...string) {
		t.Helper()
		got, err := c.Lookalike(ctx, name)
		must(t, "lookalike", err)
		if !slices.Contains(want, got) {
			t.Errorf("lookalike of %s: got %q, want one of %q", name, got, want)
		}
	}
	looks("oskar", "")
	ids := make(map[string]store.ClientID)
	for i, name := range []string{"oskar", "0skar", "Νέα"} {
		client := newClient(90 + i)
		client.Name, ids[name] = name, client.ID
		must(t, "add", c.AddClient(ctx, client))
	}
	looks("oskar", "0skar")
	looks("0skar", "oskar")
	looks("оskаr", "oskar", "0skar") // in Cyrillic
	looks("ΝΈΑ", "Νέα")              // in capitals, which are drawn otherwise
	looks("Νέα", "")
	for _, name := range []string{"0skar", "oskar"} {
		got, err := c.NameLike(ctx, name)
		must(t, "name like", err)
		wantEqual(t, "name like "+name, got, "")
	}
	_, err := c.RemoveClient(ctx, ids["oskar"])
	must(t, "remove", err)
	looks("0skar", "")
	looks("oskar", "0skar")
}

func testNameTaken(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	first := newClient(1)
	sameName, sameID, sameAPIID := newClient(2), newClient(1), newClient(3)
	sameName.Name = first.Name
	first.APIID, sameAPIID.APIID = store.APIID{1}, store.APIID{1}
	sameID.Name = "another"
	must(t, "add", c.AddClient(ctx, first))
	wantErr(t, "same API id", c.AddClient(ctx, sameAPIID), store.ErrNameTaken)
	wantErr(t, "same name", c.AddClient(ctx, sameName), store.ErrNameTaken)
	wantErr(t, "same id", c.AddClient(ctx, sameID), store.ErrNameTaken)
	testNameLike(t, c)
	got, err := c.Client(ctx, first.ID)
	must(t, "find", err)
	wantEqual(t, "the first", got, first)

	var wg sync.WaitGroup
	results := make([]error, 16)
	for i := range results {
		wg.Go(func() {
			rival := newClient(10 + i)
			rival.Name = "wanted"
			results[i] = c.AddClient(ctx, rival)
		})
	}
	wg.Wait()
	added := 0
	for _, err := range results {
		if err == nil {
			added++
		} else {
			wantErr(t, "rival", err, store.ErrNameTaken)
		}
	}
	wantEqual(t, "rivals that got the name", added, 1)
}

func testUpdateSignIn(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	client := newClient(1)
	must(t, "add", c.AddClient(ctx, client))
	signIn := func(hash, bundle string, refusal error) error {
		_, err := c.UpdateSignIn(ctx, client.ID, []byte(bundle), func(client *store.Client) error {
			client.PasswordHash = hash
			return refusal
		})
		return err
	}
	has := func(hash, bundle string) {
		t.Helper()
		got, err := c.Client(ctx, client.ID)
		must(t, "find", err)
		wantEqual(t, "password hash", got.PasswordHash, hash)
		kept, err := c.KeyBundle(ctx, client.ID)
		must(t, "key bundle", err)
		wantEqual(t, "key bundle", string(kept), bundle)
	}
	must(t, "set", signIn("one", "first", nil))
	has("one", "first")
	must(t, "set again", signIn("two", "second", nil))
	has("two", "second")
	refused := errors.New("refused")
	wantErr(t, "refused", signIn("three", "third", refused), refused)
	has("two", "second")
	_, err := c.UpdateSignIn(ctx, clientID(2), []byte("x"), func(*store.Client) error { return nil })
	wantErr(t, "unknown", err, store.ErrNoClient)
}

func testUpdateClient(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	old := newClient(1)
	old.SessionKey = []byte{1}
	must(t, "add", c.AddClient(ctx, old))

	got, err := c.UpdateClient(ctx, old.ID, func(client *store.Client) error {
		wantEqual(t, "what change sees", *client, old)
		client.ID, client.Name, client.Created = clientID(5), "other", noon.Add(time.Hour)
		client.PublicKey, client.Kind, client.OAEPHash = []byte{1, 2}, "web_client", "sha1"
		client.PasswordHash, client.SessionKey, client.Suspended = "phc", nil, true
		client.LastSeen = noon.Add(2 * time.Hour)
		client.BaseClosed, client.APIID = true, store.APIID{7}
		return nil
	})
	must(t, "update", err)
	want := store.Client{
		ID: old.ID, Name: old.Name, Created: old.Created,
		PublicKey: []byte{1, 2}, Kind: "web_client", OAEPHash: "sha1", PasswordHash: "phc",
		Suspended: true, LastSeen: noon.Add(2 * time.Hour), BaseClosed: true, APIID: store.APIID{7},
	}
	wantEqual(t, "returned", got, want)
	got, err = c.Client(ctx, old.ID)
	must(t, "find", err)
	wantEqual(t, "kept", got, want)

	refused := errors.New("refused")
	_, err = c.UpdateClient(ctx, old.ID, func(client *store.Client) error {
		client.Kind = "half done"
		return refused
	})
	if err != refused { // unchanged, so not errors.Is
		t.Errorf("refused update: got error %v, want it as change returned it", err)
	}
	got, err = c.Client(ctx, old.ID)
	must(t, "find", err)
	wantEqual(t, "after the refusal", got, want)

	_, err = c.UpdateClient(ctx, clientID(9), func(*store.Client) error {
		t.Error("change was called for an unknown client")
		return nil
	})
	wantErr(t, "unknown client", err, store.ErrNoClient)
}

func testRemoveClient(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	for n := range 2 {
		must(t, "add", c.AddClient(ctx, newClient(n)))
		must(t, "bundle", c.SetKeyBundle(ctx, clientID(n), []byte("bundle")))
		for i := range 3 {
			_, _, err := c.Commit(ctx, newVersion(n, fmt.Sprint("file ", i/2), 10, fmt.Sprint(n, "-", i)), keepNewest(0))
			must(t, "commit", err)
		}
	}
	blobs, err := c.RemoveClient(ctx, clientID(0))
	must(t, "remove", err)
	slices.Sort(blobs)
	wantEqual(t, "its blobs", blobs, []store.BlobRef{"blob/0-0", "blob/0-1", "blob/0-2"})
	_, err = c.Client(ctx, clientID(0))
	wantErr(t, "find it", err, store.ErrNoClient)
	_, err = c.Versions(ctx, clientID(0), "file 0")
	wantErr(t, "find its file", err, store.ErrNoFile)
	_, err = c.RemoveClient(ctx, clientID(0))
	wantErr(t, "remove it again", err, store.ErrNoClient)

	left, err := c.Usage(ctx, clientID(1))
	must(t, "usage", err)
	wantEqual(t, "the other's usage", left, store.Usage{Files: 2, Versions: 3, Verified: 3, Bytes: 30})
	totals, err := c.Totals(ctx)
	must(t, "totals", err)
	wantEqual(t, "totals", totals, store.Totals{Clients: 1, Usage: left})

	must(t, "add it again", c.AddClient(ctx, newClient(0)))
	bundle, err := c.KeyBundle(ctx, clientID(0))
	must(t, "bundle", err)
	wantEqual(t, "bundle of the new one", bundle, nil)
	used, err := c.Usage(ctx, clientID(0))
	must(t, "usage", err)
	wantEqual(t, "usage of the new one", used, store.Usage{})
}

func testEachClient(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	const many = 600
	want := make(map[store.ClientID]string)
	var wg sync.WaitGroup
	for n := range many {
		want[clientID(n)] = newClient(n).Name
		wg.Go(func() {
			if err := c.AddClient(ctx, newClient(n)); err != nil {
				t.Errorf("add: %v", err)
			}
		})
	}
	wg.Wait()
	got := make(map[store.ClientID]string)
	must(t, "visit", c.EachClient(ctx, func(client store.Client) error {
		got[client.ID] = client.Name
		return nil
	}))
	wantEqual(t, "visited", got, want)

	enough := errors.New("enough")
	visits := 0
	err := c.EachClient(ctx, func(store.Client) error {
		if visits++; visits == 3 {
			return enough
		}
		return nil
	})
	wantErr(t, "stopped visit", err, enough)
	wantEqual(t, "visits", visits, 3)
}

func testSessions(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	for n := range 4 {
		client := newClient(n)
		if n > 0 {
			client.SessionKey = []byte{byte(n)}
		}
		must(t, "add", c.AddClient(ctx, client))
	}
	must(t, "touch", c.TouchClients(ctx, []store.LastRequest{
		{ID: clientID(0), At: noon.Add(1 * time.Minute)},
		{ID: clientID(1), At: noon.Add(2 * time.Minute)},
		{ID: clientID(2), At: noon.Add(3 * time.Minute), Ended: true},
		{ID: clientID(99), At: noon, Ended: true},
	}))
	must(t, "touch nobody", c.TouchClients(ctx, nil))

	live, err := c.Sessions(ctx)
	must(t, "sessions", err)
	slices.SortFunc(live, func(a, b store.Client) int { return slices.Compare(a.SessionKey, b.SessionKey) })
	one, three := newClient(1), newClient(3)
	one.SessionKey, one.LastSeen = []byte{1}, noon.Add(2*time.Minute)
	three.SessionKey = []byte{3}
	wantEqual(t, "sessions", live, []store.Client{one, three})

	ended, err := c.Client(ctx, clientID(2))
	must(t, "find", err)
	two := newClient(2)
	two.LastSeen = noon.Add(3 * time.Minute)
	wantEqual(t, "ended", ended, two)
}

func testKeyBundles(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	got, err := c.KeyBundle(ctx, clientID(1))
	must(t, "none", err)
	wantEqual(t, "none", got, nil)
	for _, bundle := range [][]byte{[]byte("first"), make([]byte, 100_000)} {
		must(t, "set", c.SetKeyBundle(ctx, clientID(1), bundle))
		got, err := c.KeyBundle(ctx, clientID(1))
		must(t, "get", err)
		wantEqual(t, "bundle", got, bundle)
	}
	wantErr(t, "set for nobody", c.SetKeyBundle(ctx, clientID(2), []byte("x")), store.ErrNoClient)
	_, err = c.KeyBundle(ctx, clientID(2))
	wantErr(t, "get for nobody", err, store.ErrNoClient)
}

func testSettings(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	got, err := c.Setting(ctx, "key")
	must(t, "none", err)
	wantEqual(t, "none", got, nil)
	for _, value := range [][]byte{{1, 0, 2}, {}, []byte("again")} {
		must(t, "set", c.SetSetting(ctx, "key", value))
		got, err := c.Setting(ctx, "key")
		must(t, "get", err)
		wantEqual(t, "value", got, value)
	}
	got, err = c.Setting(ctx, "KEY")
	must(t, "other key", err)
	wantEqual(t, "other key", got, nil)
}

func testConcurrentUpdates(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	const each, workers = 10, 8
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				_, err := c.UpdateClient(ctx, clientID(1), func(client *store.Client) error {
					client.PublicKey = append(client.PublicKey, 1)
					return nil
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	got, err := c.Client(ctx, clientID(1))
	must(t, "find", err)
	wantEqual(t, "updates that count", len(got.PublicKey), each*workers)
}
