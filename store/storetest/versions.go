package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"coffer/store"
)

func testCommit(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	for i := range 3 {
		v := newVersion(1, "dir/é file", int64(100+i), i)
		v.Number = 77 // is ignored
		v.Verified = i != 1
		number, dropped, err := c.Commit(ctx, v, keepNewest(0))
		must(t, "commit", err)
		wantEqual(t, "number", number, uint32(i+1))
		wantEqual(t, "dropped", len(dropped), 0)
		v.Number = number
		for _, ask := range []uint32{0, number} {
			got, err := c.Version(ctx, clientID(1), v.Name, ask)
			must(t, "find", err)
			wantEqual(t, "version", got, v)
		}
		refers, err := c.Refers(ctx, v.Blob)
		must(t, "refers", err)
		wantEqual(t, "refers", refers, true)
	}
	refers, err := c.Refers(ctx, "blob/none")
	must(t, "refers", err)
	wantEqual(t, "refers to none", refers, false)

	bare := store.Version{Metadata: store.Metadata{Client: clientID(1), Name: "bare"}, Blob: "b"}
	bare.Number, _, err = c.Commit(ctx, bare, keepNewest(1))
	must(t, "commit bare", err)
	got, err := c.Version(ctx, clientID(1), "bare", 0)
	must(t, "find bare", err)
	wantEqual(t, "bare", got, bare)
}

func testKeepVersions(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	steps := []struct {
		keep    int
		dropped []store.BlobRef
	}{
		{2, nil},
		{2, nil},
		{2, []store.BlobRef{"blob/0"}},
		{0, nil},
		{0, nil},
		{3, []store.BlobRef{"blob/1", "blob/2"}},
		{1, []store.BlobRef{"blob/3", "blob/4", "blob/5"}},
		{1, []store.BlobRef{"blob/6"}},
	}
	_, _, err := c.Commit(ctx, newVersion(1, "g", 5, "other"), keepNewest(1))
	must(t, "commit another file", err)
	for i, step := range steps {
		number, dropped, err := c.Commit(ctx, newVersion(1, "f", 10, i), keepNewest(step.keep))
		must(t, "commit", err)
		wantEqual(t, "number", number, uint32(i+1))
		wantSet(t, fmt.Sprintf("dropped by commit %d", i), dropped, step.dropped)
		for _, ref := range dropped {
			refers, err := c.Refers(ctx, ref)
			must(t, "refers", err)
			wantEqual(t, "refers to a dropped blob", refers, false)
		}
	}
	usage, err := c.Usage(ctx, clientID(1))
	must(t, "usage", err)
	wantEqual(t, "usage", usage, store.Usage{Files: 2, Versions: 2, Verified: 2, Bytes: 15})
}

// Versions are kept beyond their number until they have stood for long enough.
func testKeepYoung(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	keep := store.Retention{Versions: 2, MinAge: 10 * time.Hour}
	steps := []struct {
		hour    int
		dropped []store.BlobRef
	}{
		{0, nil},
		{1, nil},
		{2, nil},
		{9, nil},
		{10, nil}, // one has stood for ten hours
		{11, nil}, // two
		{12, []store.BlobRef{"blob/0"}},
		{12, nil},
		{40, []store.BlobRef{"blob/1", "blob/2", "blob/3", "blob/4", "blob/5"}},
	}
	for i, step := range steps {
		v := newVersion(1, "f", 10, i)
		v.Created = noon.Add(time.Duration(step.hour) * time.Hour)
		_, dropped, err := c.Commit(ctx, v, keep)
		must(t, "commit", err)
		wantSet(t, fmt.Sprintf("dropped by commit %d", i), dropped, step.dropped)
	}
}

// No number of new versions pushes out what was there, be it a minute old or a
// year; and once they are old enough, all beyond the number go at once.
func testKeepWhatLasted(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	keep := store.Retention{Versions: 2, MinAge: 7 * 24 * time.Hour}
	commit := func(blob any, at time.Time) []store.BlobRef {
		t.Helper()
		v := newVersion(1, "f", 10, blob)
		v.Created = at
		_, dropped, err := c.Commit(ctx, v, keep)
		must(t, "commit", err)
		return dropped
	}
	now := noon.AddDate(1, 0, 0)
	var good []store.BlobRef
	for i, at := range []time.Time{noon, noon.Add(time.Hour), now.Add(-time.Minute)} {
		good = append(good, store.BlobRef(fmt.Sprintf("blob/good %d", i)))
		wantSet(t, "dropped by a good one", commit(fmt.Sprintf("good %d", i), at), nil)
	}
	var garbage []store.BlobRef
	for i := range 100 {
		garbage = append(garbage, store.BlobRef(fmt.Sprintf("blob/%03d", i)))
		wantSet(t, "dropped by garbage", commit(fmt.Sprintf("%03d", i), now), nil)
	}
	after := commit("after", now.Add(keep.MinAge))
	wantSet(t, "dropped once that is old", after, append(garbage[:98:98], good...))
}

func testCommitNoClient(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	_, _, err := c.Commit(ctx, newVersion(1, "f", 1, 1), keepNewest(1))
	wantErr(t, "commit", err, store.ErrNoClient)
	numbered := newVersion(1, "f", 1, 1)
	numbered.Number = 1
	wantErr(t, "add version", c.AddVersion(ctx, numbered), store.ErrNoClient)
	refers, err := c.Refers(ctx, "blob/1")
	must(t, "refers", err)
	wantEqual(t, "refers", refers, false)
	_, err = c.Usage(ctx, clientID(1))
	wantErr(t, "usage", err, store.ErrNoClient)
}

func testSameName(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	for n := range 2 {
		must(t, "add", c.AddClient(ctx, newClient(n)))
		number, dropped, err := c.Commit(ctx, newVersion(n, "same", int64(n), n), keepNewest(1))
		must(t, "commit", err)
		wantEqual(t, "number", number, 1)
		wantEqual(t, "dropped", len(dropped), 0)
	}
	blobs, err := c.Remove(ctx, clientID(0), "same", 0)
	must(t, "remove", err)
	wantSet(t, "removed", blobs, []store.BlobRef{"blob/0"})
	got, err := c.Version(ctx, clientID(1), "same", 0)
	must(t, "find the other's", err)
	wantEqual(t, "the other's blob", got.Blob, "blob/1")
}

func testVersions(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	var want []store.Version
	for i := range 12 {
		v := newVersion(1, "f", 1, i)
		number, _, err := c.Commit(ctx, v, keepNewest(0))
		must(t, "commit", err)
		v.Number = number
		want = append([]store.Version{v}, want...)
	}
	got, err := c.Versions(ctx, clientID(1), "f")
	must(t, "versions", err)
	wantEqual(t, "versions", got, want)

	for _, ask := range []struct {
		client, number int
		name           string
	}{{1, 13, "f"}, {1, 0, "F"}, {1, 0, "f "}, {1, 1, ""}, {2, 0, "f"}} {
		_, err := c.Version(ctx, clientID(ask.client), ask.name, uint32(ask.number))
		wantErr(t, fmt.Sprintf("find %+v", ask), err, store.ErrNoFile)
	}
	_, err = c.Versions(ctx, clientID(1), "g")
	wantErr(t, "versions of no file", err, store.ErrNoFile)
}

func testAddVersion(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	for _, number := range []uint32{7, 3} {
		v := newVersion(1, "f", 10, number)
		v.Number = number
		must(t, "add version", c.AddVersion(ctx, v))
	}
	again := newVersion(1, "f", 25, 7)
	again.Number, again.Verified = 7, false
	must(t, "replace version", c.AddVersion(ctx, again))
	got, err := c.Version(ctx, clientID(1), "f", 7)
	must(t, "find", err)
	wantEqual(t, "replaced", got, again)

	number, _, err := c.Commit(ctx, newVersion(1, "f", 1, "next"), keepNewest(0))
	must(t, "commit", err)
	wantEqual(t, "next number", number, 8)
	usage, err := c.Usage(ctx, clientID(1))
	must(t, "usage", err)
	wantEqual(t, "usage", usage, store.Usage{Files: 1, Versions: 3, Verified: 2, Bytes: 36})
}

func testRemoveVersions(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	for i := range 4 {
		_, _, err := c.Commit(ctx, newVersion(1, "f", 10, i+1), keepNewest(0))
		must(t, "commit", err)
	}
	blobs, err := c.Remove(ctx, clientID(1), "f", 2)
	must(t, "remove one", err)
	wantSet(t, "removed", blobs, []store.BlobRef{"blob/2"})
	_, err = c.Remove(ctx, clientID(1), "f", 2)
	wantErr(t, "remove it again", err, store.ErrNoFile)
	_, err = c.Version(ctx, clientID(1), "f", 2)
	wantErr(t, "find it", err, store.ErrNoFile)

	blobs, err = c.Remove(ctx, clientID(1), "f", 4)
	must(t, "remove the newest", err)
	wantSet(t, "removed", blobs, []store.BlobRef{"blob/4"})
	got, err := c.Version(ctx, clientID(1), "f", 0)
	must(t, "newest", err)
	wantEqual(t, "newest", got.Number, 3)

	blobs, err = c.Remove(ctx, clientID(1), "f", 0)
	must(t, "remove all", err)
	wantSet(t, "removed", blobs, []store.BlobRef{"blob/1", "blob/3"})
	_, err = c.Remove(ctx, clientID(1), "f", 0)
	wantErr(t, "remove no file", err, store.ErrNoFile)
	_, err = c.Remove(ctx, clientID(2), "f", 0)
	wantErr(t, "remove nobody's", err, store.ErrNoFile)

	number, _, err := c.Commit(ctx, newVersion(1, "f", 10, "new"), keepNewest(0))
	must(t, "commit", err)
	wantEqual(t, "a new file's number", number, 1)
	usage, err := c.Usage(ctx, clientID(1))
	must(t, "usage", err)
	wantEqual(t, "usage", usage, store.Usage{Files: 1, Versions: 1, Verified: 1, Bytes: 10})
}

func testUsage(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	totals, err := c.Totals(ctx)
	must(t, "totals", err)
	wantEqual(t, "totals of nothing", totals, store.Totals{})
	var want store.Totals
	for n := range 3 {
		must(t, "add", c.AddClient(ctx, newClient(n)))
		var mine store.Usage
		for i := range 5 * n {
			v := newVersion(n, fmt.Sprint(i%4), 1<<33, fmt.Sprint(n, "-", i))
			v.Verified = i%3 != 0
			_, _, err := c.Commit(ctx, v, keepNewest(0))
			must(t, "commit", err)
			mine.Versions++
			if v.Verified {
				mine.Verified++
			}
			mine.Files = min(mine.Versions, 4)
			mine.Bytes += 1 << 33
		}
		got, err := c.Usage(ctx, clientID(n))
		must(t, "usage", err)
		wantEqual(t, "usage", got, mine)
		want.Clients++
		want.Files += mine.Files
		want.Versions += mine.Versions
		want.Verified += mine.Verified
		want.Bytes += mine.Bytes
	}
	totals, err = c.Totals(ctx)
	must(t, "totals", err)
	wantEqual(t, "totals", totals, want)
}

func testConcurrentCommits(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	const clients, commits = 8, 40
	for n := range clients {
		must(t, "add", c.AddClient(ctx, newClient(n)))
	}
	numbers := make([]map[uint32]bool, clients)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range clients {
		numbers[n] = make(map[uint32]bool)
		for part := range 4 {
			wg.Go(func() {
				for i := range commits / 4 {
					number, _, err := c.Commit(ctx, newVersion(n, "shared", 1, fmt.Sprint(n, "-", part, "-", i)), keepNewest(0))
					if err != nil {
						t.Errorf("commit: %v", err)
						return
					}
					mu.Lock()
					if numbers[n][number] {
						t.Errorf("two versions got number %d", number)
					}
					numbers[n][number] = true
					mu.Unlock()
					if _, err := c.Version(ctx, clientID(n), "shared", number); err != nil {
						t.Errorf("find what was committed: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	for n := range clients {
		usage, err := c.Usage(ctx, clientID(n))
		must(t, "usage", err)
		wantEqual(t, "usage", usage, store.Usage{Files: 1, Versions: commits, Verified: commits, Bytes: commits})
		if !numbers[n][1] || !numbers[n][commits] {
			t.Error("the numbers have gaps")
		}
	}
}

// Changes that fail may share a transaction with others, which must not notice.
func testConcurrentFailures(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	const rounds = 100
	var wg sync.WaitGroup
	for i := range rounds {
		wg.Go(func() {
			if _, _, err := c.Commit(ctx, newVersion(1, fmt.Sprint(i), 3, i), keepNewest(1)); err != nil {
				t.Errorf("commit: %v", err)
			}
		})
		wg.Go(func() {
			_, _, err := c.Commit(ctx, newVersion(2, "f", 3, fmt.Sprint("nobody's ", i)), keepNewest(1))
			wantErr(t, "commit for nobody", err, store.ErrNoClient)
		})
		wg.Go(func() {
			wantErr(t, "add again", c.AddClient(ctx, newClient(1)), store.ErrNameTaken)
		})
		wg.Go(func() {
			_, err := c.Remove(ctx, clientID(1), "none", 0)
			wantErr(t, "remove none", err, store.ErrNoFile)
		})
		wg.Go(func() {
			_, err := c.RemoveClient(ctx, clientID(3))
			wantErr(t, "remove nobody", err, store.ErrNoClient)
		})
	}
	wg.Wait()
	usage, err := c.Usage(ctx, clientID(1))
	must(t, "usage", err)
	wantEqual(t, "usage", usage, store.Usage{Files: rounds, Versions: rounds, Verified: rounds, Bytes: 3 * rounds})
}

func testCancelled(t *testing.T, c store.Catalog) {
	must(t, "add", c.AddClient(t.Context(), newClient(1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := c.Commit(ctx, newVersion(1, "f", 1, 1), keepNewest(1))
	wantErr(t, "commit", err, context.Canceled)
	_, err = c.Version(ctx, clientID(1), "f", 0)
	wantErr(t, "find", err, context.Canceled)
	_, err = c.Version(t.Context(), clientID(1), "f", 0)
	wantErr(t, "find what was not committed", err, store.ErrNoFile)
}

func testCheckAndClose(t *testing.T, c store.Catalog) {
	must(t, "check", c.Check(t.Context()))
	must(t, "add", c.AddClient(t.Context(), newClient(1)))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			// Refused or done, but never stuck.
			v := newVersion(1, fmt.Sprint(i), 1, i)
			v.Created = v.Created.Add(time.Duration(i))
			_, _, _ = c.Commit(t.Context(), v, keepNewest(1))
		})
	}
	must(t, "close", c.Close())
	wg.Wait()
	if err := c.AddClient(t.Context(), newClient(2)); err == nil {
		t.Error("a closed catalog took a client")
	}
	must(t, "close again", c.Close())
}
