package sqlite

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"coffer/store"
)

// fillClients adds clients with files each, of sizes that differ.
func fillClients(t testing.TB, c *Catalog, clients, files int) {
	t.Helper()
	now := time.Now()
	for from := 0; from < clients; from += 1000 {
		err := c.write(t.Context(), func(tx *tx) error {
			for n := from; n < min(from+1000, clients); n++ {
				id := store.ClientID{byte(n), byte(n >> 8), byte(n >> 16), 1}
				seen := now.Add(-time.Duration(n*7919%clients) * time.Minute)
				client := store.Client{ID: id, Name: fmt.Sprintf("client %06d of many", n*31%clients), Kind: "cpp_client", PublicKey: make([]byte, 162),
					OAEPHash: "sha256", Created: now.Add(-time.Duration(n) * time.Hour), LastSeen: seen}
				if err := tx.addClient(client); err != nil {
					return err
				}
				for i := range files {
					v := testVersion(id, fmt.Sprintf("folder/file %03d", i), fmt.Sprint(n, "-", i))
					v.Number, v.Size, v.Verified = 1, int64(4096+n*104729%1_000_000), i > 0
					if _, err := tx.exec(tx.stmts.addVersion, versionArgs(&v)...); err != nil {
						return err
					}
					tx.use(id, store.Usage{Files: 1, Versions: 1, Verified: verified(&v), Bytes: v.Size})
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkListClients is a page of 100 of 100,000 clients with 1,000,000 files
// in each order, at the beginning, in the middle and at the end, and found by
// a search. Every one should take well under 100 ms.
func BenchmarkListClients(b *testing.B) {
	const clients = 100_000
	c := openTest(b)
	fillClients(b, c, clients, 10)
	run := func(name string, q store.ClientQuery) {
		q.Limit = 100
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if page, _, err := c.ListClients(b.Context(), q); err != nil || len(page) == 0 {
					b.Fatalf("a page of %d, error %v", len(page), err)
				}
			}
		})
	}
	for _, by := range []store.ClientSort{store.SortByName, store.SortByLastSeen, store.SortByCreated, store.SortByFiles, store.SortByBytes} {
		for _, at := range []int{0, clients / 2, clients - 100} {
			run(fmt.Sprintf("sort=%s/at=%d", by, at), store.ClientQuery{Sort: by, Offset: at, Descending: true})
		}
		run(fmt.Sprintf("sort=%s/search=few", by), store.ClientQuery{Sort: by, Search: "0777"})
		run(fmt.Sprintf("sort=%s/search=all", by), store.ClientQuery{Sort: by, Search: "CLIENT", Offset: 50_000})
	}
	run("search=fingerprint", store.ClientQuery{Search: store.ClientID{1, 0, 0, 1}.Fingerprint()})
	b.Run("open", func(b *testing.B) {
		for range b.N {
			again, err := Open(b.Context(), c.path)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := again.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("totals", func(b *testing.B) {
		for range b.N {
			if totals, err := c.Totals(b.Context()); err != nil || totals.Versions != 10*clients {
				b.Fatalf("totals %+v, error %v", totals, err)
			}
		}
	})
}

// The register agrees with the file, whatever changes were made, including
// failed ones and ones that shared a transaction.
func TestRegisterFollows(t *testing.T) {
	c := openTest(t)
	random := rand.New(rand.NewPCG(3, 4))
	var wg sync.WaitGroup
	for range 8 {
		random := rand.New(rand.NewPCG(random.Uint64(), 1))
		id := func() store.ClientID { return store.ClientID{byte(random.IntN(20)), 1} }
		wg.Go(func() {
			for range 150 {
				ctx, who := t.Context(), id()
				file := fmt.Sprint(store.Retention{Versions: random.IntN(3)})
				switch random.IntN(8) { // whose errors are part of it
				case 0, 1:
					c.AddClient(ctx, store.Client{ID: who, Name: fmt.Sprint("name ", random.IntN(30)), LastSeen: time.Unix(1, 0)})
				case 2:
					c.RemoveClient(ctx, who)
				case 3:
					c.TouchClients(ctx, []store.LastRequest{{ID: who, At: time.Unix(random.Int64N(100), 0)}, {ID: id(), At: time.Unix(5, 0)}})
				case 4:
					c.Remove(ctx, who, file, uint32(random.IntN(2)))
				case 5:
					c.UpdateClient(ctx, who, func(client *store.Client) error {
						client.LastSeen = time.Unix(7, 0)
						if random.IntN(2) == 0 {
							return errClosed
						}
						return nil
					})
				default:
					v := testVersion(who, file, random.Uint64())
					v.Verified = random.IntN(2) == 0
					c.Commit(ctx, v, store.Retention{Versions: random.IntN(3)})
				}
			}
		})
	}
	wg.Wait()
	fresh, err := loadRegister(t.Context(), c.writer.conn)
	if err != nil {
		t.Fatal(err)
	}
	known := c.writer.register
	if fresh.totals != known.totals || len(fresh.byID) == 0 || known.totals.Versions == 0 {
		t.Errorf("totals %+v, in the file %+v", known.totals, fresh.totals)
	}
	list := func(r *register) (text string) {
		for _, e := range r.byName {
			text += fmt.Sprintln(*e, *r.byID[e.id])
		}
		return text + fmt.Sprint(len(r.byID))
	}
	if got, want := list(known), list(fresh); got != want {
		t.Errorf("known:\n%s\nin the file:\n%s", got, want)
	}
}
