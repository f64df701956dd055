package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"coffer/store"
)

func openTest(t testing.TB, opts ...Option) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), filepath.Join(t.TempDir(), "defensive.db"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func addTestClient(t testing.TB, c *Catalog, n int) store.ClientID {
	t.Helper()
	id := store.ClientID{byte(n), byte(n >> 8), 1}
	if err := c.AddClient(t.Context(), store.Client{ID: id, Name: fmt.Sprint("client ", n)}); err != nil {
		t.Fatal(err)
	}
	return id
}

func testVersion(id store.ClientID, name string, blob any) store.Version {
	return store.Version{
		Metadata: store.Metadata{Client: id, Name: name, WireName: []byte(name), WrappedKey: make([]byte, 384), Size: 4096},
		Blob:     store.BlobRef(fmt.Sprintf("%x/%v", id[:2], blob)),
	}
}

// holdWriter keeps the writer busy until release is called, so that what comes
// meanwhile makes one batch.
func holdWriter(t *testing.T, c *Catalog) (release func()) {
	t.Helper()
	held, free := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		once := sync.OnceFunc(func() { close(held) })
		if err := c.write(t.Context(), func(*tx) error { once(); <-free; return nil }); err != nil {
			t.Errorf("hold the writer: %v", err)
		}
	})
	<-held
	return func() { close(free); wg.Wait() }
}

// queue sends changes to the writer at once and returns their errors when they
// are answered.
func queue(t *testing.T, c *Catalog, changes ...func(*tx) error) func() []error {
	t.Helper()
	ops := make([]*operation, len(changes))
	for i, change := range changes {
		ops[i] = &operation{ctx: t.Context(), run: change, done: make(chan struct{})}
		if err := c.enqueue(ops[i]); err != nil {
			t.Fatal(err)
		}
	}
	return func() []error {
		errs := make([]error, len(ops))
		for i, op := range ops {
			<-op.done
			errs[i] = op.err
		}
		return errs
	}
}

func TestBatchSharesTransaction(t *testing.T) {
	c := openTest(t)
	release := holdWriter(t, c)
	var changes []func(*tx) error
	for i := range 100 {
		changes = append(changes, func(t *tx) error { return t.setSetting(fmt.Sprint(i), nil) })
	}
	before := transactions(c.GroupCommits())
	answers := queue(t, c, changes...)
	release()
	for _, err := range answers() {
		if err != nil {
			t.Error(err)
		}
	}
	after := transactions(c.GroupCommits())
	if n := after - before; n != 2 { // the one that held, and the batch
		t.Errorf("%d transactions for one batch", n-1)
	}
}

func transactions(g store.GroupCommits) (n uint64) {
	for _, count := range g.Sync.Counts {
		n += count
	}
	return n
}

// An operation that fails half way takes nothing with it and leaves nothing.
func TestHalfDoneOperation(t *testing.T) {
	c := openTest(t)
	id := addTestClient(t, c, 1)
	release := holdWriter(t, c)
	broken := errors.New("broken")
	commit := func(name string) func(*tx) error {
		return func(tx *tx) error {
			v := testVersion(id, name, name)
			_, _, err := tx.commit(&v, store.Retention{})
			return err
		}
	}
	answers := queue(t, c,
		commit("before"),
		func(tx *tx) error {
			if err := commit("half")(tx); err != nil {
				return err
			}
			return broken
		},
		commit("after"))
	release()
	errs := answers()
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], broken) {
		t.Errorf("errors are %v", errs)
	}
	list, err := c.List(t.Context(), id, store.Cursor{}, 10, true)
	if err != nil || len(list) != 2 || list[0].Name != "after" || list[1].Name != "before" {
		t.Errorf("list is %v, error %v", list, err)
	}
	usage, err := c.Usage(t.Context(), id)
	if want := (store.Usage{Files: 2, Versions: 2, Bytes: 8192}); usage != want || err != nil {
		t.Errorf("usage is %+v, error %v", usage, err)
	}
}

// limitPages makes the disk full at so many pages. It must run in the
// writer's goroutine, or while that has nothing to do.
func limitPages(t *testing.T, c *Catalog, pages int) {
	t.Helper()
	if _, err := c.writer.conn.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
		t.Error(err)
	}
}

func TestDiskFull(t *testing.T) {
	released := 0
	var c *Catalog
	c = openTest(t, OnFull(func() {
		if released++; released == 1 {
			limitPages(t, c, 400)
		}
	}))
	id := addTestClient(t, c, 1)
	limitPages(t, c, 200)
	done := 0
	var err error
	for err == nil {
		if _, _, err = c.Commit(t.Context(), testVersion(id, fmt.Sprint(done), done), store.Retention{}); err == nil {
			done++
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("a full disk: got error %v", err)
	}
	if released < 2 {
		t.Error("the reserve was not released before the error")
	}
	usage, err := c.Usage(t.Context(), id)
	if err != nil || usage.Versions != int64(done) {
		t.Errorf("usage is %+v, error %v, after %d commits", usage, err, done)
	}
	if _, err := c.Remove(t.Context(), id, "0", 0); err != nil {
		t.Errorf("remove on a full disk: %v", err)
	}
	limitPages(t, c, 100_000)
	if _, _, err := c.Commit(t.Context(), testVersion(id, "later", "later"), store.Retention{}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := c.Integrity(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLogStaysBounded(t *testing.T) {
	c := openTest(t)
	value := make([]byte, 1<<20)
	for i := range 100 {
		if err := c.SetSetting(t.Context(), fmt.Sprint(i%3), value); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(c.path + "-wal")
	if err != nil || info.Size() > 40<<20 {
		t.Errorf("the log has %d MiB after writing 100, error %v", info.Size()>>20, err)
	}
}

// A file of many versions costs no more to list past than one of few.
func TestListSkipsVersions(t *testing.T) {
	c := openTest(t)
	id := addTestClient(t, c, 1)
	fill(t, c, id, func(add func(name string, number int)) {
		for i := range 20_000 {
			add("b", i+1)
		}
		add("a", 1)
		add("c", 1)
	})
	page, err := c.List(t.Context(), id, store.Cursor{}, 10, false)
	if err != nil || len(page) != 3 || page[1].Number != 20_000 {
		t.Fatalf("a page of %d, error %v", len(page), err)
	}
	for _, q := range []string{selectNewestAfter, selectVersionsAfter, selectRest} {
		rows, err := c.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q, id[:], "", 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = eachRow(rows, func(row scanner) error {
			var a, b, d int
			var step string
			if err := row.Scan(&a, &b, &d, &step); err != nil {
				return err
			}
			if strings.HasPrefix(step, "SCAN files") || strings.HasSuffix(step, "(ID=?)") {
				t.Errorf("%s\nreads more than its page: %s", q, step)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// fill adds rows in one transaction, past the API.
func fill(t testing.TB, c *Catalog, id store.ClientID, rows func(add func(name string, number int))) {
	t.Helper()
	err := c.write(t.Context(), func(tx *tx) error {
		var failed error
		rows(func(name string, number int) {
			if failed != nil {
				return
			}
			v := testVersion(id, name, fmt.Sprint(name, number))
			v.Number = uint32(number)
			_, failed = tx.exec(tx.stmts.addVersion, versionArgs(&v)...)
		})
		return failed
	})
	if err != nil {
		t.Fatal(err)
	}
}
