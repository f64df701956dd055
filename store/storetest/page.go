package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/store"
)

// testListClients compares pages with what sorting all clients in memory gives.
func testListClients(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	page, total, err := c.ListClients(ctx, store.ClientQuery{Limit: 10})
	must(t, "list nobody", err)
	wantEqual(t, "nobody", len(page)+int(total), 0)
	names := []string{"ada", "Ada Lovelace", "100%", "under_score", `back\slash`, "זואי", "zoë", "ZOË", "b", "c", "d", "deadbeef"}
	var all []store.ClientUsage
	for n, name := range names {
		client := newClient(n)
		client.Name, client.LastSeen = name, noon.Add(time.Duration(n*7%12)*time.Hour)
		client.Created = noon.Add(time.Duration(n*5%12) * time.Minute)
		client.PublicKey, client.Suspended = []byte{byte(n)}, n%3 == 0
		client.SessionKey, client.PasswordHash, client.APIID = []byte{1}, "hash", store.APIID{byte(n + 1)}
		must(t, "add", c.AddClient(ctx, client))
		for i := range n * 11 % 12 { // as many as nobody else has
			_, _, err := c.Commit(ctx, newVersion(n, fmt.Sprint(i), int64(1+n*7%12*100), fmt.Sprint(n, "-", i)), keepNewest(0))
			must(t, "commit", err)
		}
		usage, err := c.Usage(ctx, client.ID)
		must(t, "usage", err)
		client.SessionKey, client.PasswordHash, client.APIID = nil, "", store.APIID{}
		all = append(all, store.ClientUsage{Client: client, Usage: usage})
	}
	orders := map[store.ClientSort]func(a, b store.ClientUsage) int{
		"":                   func(a, b store.ClientUsage) int { return cmp.Compare(a.Name, b.Name) },
		store.SortByName:     func(a, b store.ClientUsage) int { return cmp.Compare(a.Name, b.Name) },
		store.SortByLastSeen: func(a, b store.ClientUsage) int { return a.LastSeen.Compare(b.LastSeen) },
		store.SortByCreated:  func(a, b store.ClientUsage) int { return a.Created.Compare(b.Created) },
		store.SortByFiles:    func(a, b store.ClientUsage) int { return cmp.Compare(a.Files, b.Files) },
		store.SortByBytes:    func(a, b store.ClientUsage) int { return cmp.Compare(a.Bytes, b.Bytes) },
	}
	searches := map[string]func(store.ClientUsage) bool{
		"":     func(store.ClientUsage) bool { return true },
		"aDA":  func(u store.ClientUsage) bool { return u.Name == "ada" || u.Name == "Ada Lovelace" },
		"0%":   func(u store.ClientUsage) bool { return u.Name == "100%" },
		"_":    func(u store.ClientUsage) bool { return u.Name == "under_score" },
		`k\s`:  func(u store.ClientUsage) bool { return u.Name == `back\slash` },
		"Oë":   func(u store.ClientUsage) bool { return u.Name == "zoë" || u.Name == "ZOË" },
		"ואי":  func(u store.ClientUsage) bool { return u.Name == "זואי" },
		"none": func(store.ClientUsage) bool { return false },
	}
	for _, u := range all[:3] {
		print := u.ID.Fingerprint()
		searches[print] = func(other store.ClientUsage) bool { return other.ID == u.ID }
		searches[strings.ToUpper(print[:5])] = func(other store.ClientUsage) bool {
			return strings.HasPrefix(other.ID.Fingerprint(), print[:5])
		}
	}
	for text, matches := range searches {
		for by, compare := range orders {
			for _, descending := range []bool{false, true} {
				want := slices.DeleteFunc(slices.Clone(all), func(u store.ClientUsage) bool { return !matches(u) })
				slices.SortFunc(want, compare)
				if descending {
					slices.Reverse(want)
				}
				for _, window := range [][2]int{{0, 100}, {0, 3}, {3, 5}, {10, 10}, {12, 1}, {50, 1}, {0, 0}} {
					q := store.ClientQuery{Search: text, Sort: by, Descending: descending, Offset: window[0], Limit: window[1]}
					got, total, err := c.ListClients(ctx, q)
					must(t, fmt.Sprintf("list %+v", q), err)
					from := min(q.Offset, len(want))
					part := want[from:min(from+q.Limit, len(want))]
					if int(total) != len(want) || len(got) != len(part) || len(part) > 0 && fmt.Sprint(got) != fmt.Sprint(part) {
						t.Errorf("%+v: %d of %d:\n got %v\nwant %v", q, len(got), total, got, part)
					}
				}
			}
		}
	}
	if _, _, err := c.ListClients(ctx, store.ClientQuery{Sort: "size; DROP TABLE clients", Limit: 1}); err == nil {
		t.Error("an order that there is not")
	}
}

// testListAlike: clients that are equal in an order come once each.
func testListAlike(t *testing.T, c store.Catalog) {
	for n := range 50 {
		must(t, "add", c.AddClient(t.Context(), newClient(n)))
	}
	for _, by := range []store.ClientSort{store.SortByBytes, store.SortByLastSeen, store.SortByCreated} {
		for _, descending := range []bool{false, true} {
			seen := make(map[string]bool)
			for at := 0; at < 50; at += 7 {
				page, _, err := c.ListClients(t.Context(), store.ClientQuery{Sort: by, Descending: descending, Offset: at, Limit: 7})
				must(t, "list", err)
				for _, u := range page {
					seen[u.Name] = true
				}
			}
			wantEqual(t, fmt.Sprint("clients by ", by), len(seen), 50)
		}
	}
}

func testSuspended(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	for n := range 4 {
		client := newClient(n)
		client.Suspended = n == 2
		must(t, "add", c.AddClient(ctx, client))
	}
	check := func(want ...store.ClientID) {
		t.Helper()
		got, err := c.Suspended(ctx)
		must(t, "suspended", err)
		wantEqual(t, "suspended", got, want)
	}
	check(clientID(2))
	for n, suspend := range map[int]bool{1: true, 2: false} {
		_, err := c.UpdateClient(ctx, clientID(n), func(client *store.Client) error { client.Suspended = suspend; return nil })
		must(t, "update", err)
	}
	check(clientID(1))
	_, err := c.RemoveClient(ctx, clientID(1))
	must(t, "remove", err)
	check()
}
