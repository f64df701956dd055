package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"coffer/store"
)

func (c *Catalog) noteMany(n int) {
	for i := range n {
		c.NoteActivity(store.Activity{At: time.Now(), Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Detail: fmt.Sprint(i)})
	}
}

// inFile is what the file has, past what is queued.
func inFile(t testing.TB, c *Catalog) (n int) {
	t.Helper()
	if err := c.reads.QueryRowContext(t.Context(), "SELECT count(*) FROM activities").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func details(t testing.TB, c *Catalog) (list []string) {
	t.Helper()
	found, err := c.Activities(t.Context(), store.ActivityFilter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found {
		list = append(list, a.Detail)
	}
	return list
}

// Activities are written by themselves before long, and with company if there
// are many.
func TestActivitiesAreWritten(t *testing.T) {
	c := openTest(t)
	c.noteMany(3)
	if n := inFile(t, c); n != 0 {
		t.Errorf("%d written at once", n)
	}
	for end := time.Now().Add(20 * time.Second); inFile(t, c) != 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of 3 written", inFile(t, c))
		}
	}
	// On a loaded machine they may be due before the change comes.
	for attempt := 1; ; attempt++ {
		before := transactions(c.GroupCommits())
		c.noteMany(manyNotes)
		if err := c.SetSetting(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		more := transactions(c.GroupCommits()) - before
		if n := inFile(t, c); n != 3+attempt*manyNotes {
			t.Fatalf("%d written after change %d", n, attempt)
		}
		if more == 1 {
			return
		}
		if attempt == 8 {
			t.Fatalf("%d transactions write what one could", more)
		}
	}
}

// The history is bounded, in the file and over a restart, and closing writes
// what is queued.
func TestActivitiesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "defensive.db")
	reopen := func(keep int) *Catalog {
		c, err := Open(t.Context(), path, KeepActivities(keep))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	last := int64(0)
	for _, tt := range []struct{ keep, note, want int }{{150, 100, 100}, {150, 120, 150}, {150, 1, 150}, {150, 500, 150}, {50, 1, 50}, {0, 3, 0}, {10, 4, 4}} {
		c := reopen(tt.keep)
		if a := c.NoteActivity(store.Activity{Detail: "first"}); a.ID <= last {
			t.Errorf("ID %d after %d", a.ID, last)
		} else {
			last = a.ID
		}
		c.noteMany(tt.note - 1)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		c = reopen(1000)
		if got := details(t, c); len(got) != tt.want || tt.want > 1 && tt.note > 1 && got[0] != fmt.Sprint(tt.note-2) {
			t.Errorf("%+v: %d kept: %v", tt, len(got), got)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Where activities cannot be written, changes are, and the activities wait for
// as long as there is room for them.
func TestActivitiesFailAlone(t *testing.T) {
	c := openTest(t)
	c.breakActivities(t)
	id := addTestClient(t, c, 1)
	for i := range 5 {
		c.noteMany(manyNotes)
		if _, _, err := c.Commit(t.Context(), testVersion(id, "f", i), store.Retention{}); err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
	}
	if n := len(details(t, c)); n != 5*manyNotes {
		t.Errorf("%d activities wait", n)
	}
	c.noteMany(maxNotes)
	waiting := details(t, c)
	if len(waiting) > maxNotes || len(waiting) < maxNotes*9/10-1 || waiting[0] != fmt.Sprint(maxNotes-1) {
		t.Errorf("%d activities wait, the newest is %s", len(waiting), waiting[0])
	}
	if usage, err := c.Usage(t.Context(), id); err != nil || usage.Versions != 5 {
		t.Errorf("usage %+v, error %v", usage, err)
	}
}

// On a disk where there is room for a change but not for activities with it,
// the change is made; the activities are written once there is room.
func TestActivitiesOnAFullDisk(t *testing.T) {
	c := openTest(t, OnFull(func() { t.Error("the reserve went for activities") }))
	id := addTestClient(t, c, 1)
	var pages int
	if err := c.reads.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limitPages(t, c, pages+5)
	c.noteMany(manyNotes)
	if _, _, err := c.Commit(t.Context(), testVersion(id, "f", 1), store.Retention{}); err != nil {
		t.Fatal(err)
	}
	if n := inFile(t, c); n != 0 {
		t.Errorf("%d activities found room", n)
	}
	limitPages(t, c, 100_000)
	if _, _, err := c.Commit(t.Context(), testVersion(id, "f", 2), store.Retention{}); err != nil {
		t.Fatal(err)
	}
	if n := inFile(t, c); n != manyNotes {
		t.Errorf("%d of %d activities were written", n, manyNotes)
	}
}

// breakActivities has every write of an activity fail.
func (c *Catalog) breakActivities(t testing.TB) {
	t.Helper()
	err := c.write(t.Context(), func(tx *tx) error {
		_, err := c.writer.conn.ExecContext(tx.ctx, `CREATE TRIGGER broken BEFORE INSERT ON activities BEGIN SELECT raise(ABORT, 'broken'); END`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What a transaction that failed had taken along is written by the next.
func TestActivitiesOfAFailedTransaction(t *testing.T) {
	c := openTest(t)
	c.noteMany(manyNotes)
	err := c.write(t.Context(), func(t *tx) error {
		if err := t.setSetting("half", nil); err != nil {
			return err
		}
		return errClosed
	})
	if err == nil {
		t.Fatal("the change did not fail")
	}
	if n := inFile(t, c); n != manyNotes {
		t.Errorf("%d of %d written beside a change that failed", n, manyNotes)
	}
	if n := len(details(t, c)); n != manyNotes {
		t.Errorf("%d told of %d", n, manyNotes)
	}
}

// BenchmarkCommitAndNote is BenchmarkCommit32 with an activity for each commit.
func BenchmarkCommitAndNote(b *testing.B) { benchmarkCommits(b, true) }

// BenchmarkActivities is a page of 100 of a full history, by several filters.
func BenchmarkActivities(b *testing.B) {
	c := openTest(b)
	const all = 100_000
	kinds := store.ActivityKinds()
	for i := range all {
		id := store.ClientID{byte(i), byte(i >> 8), 1}
		c.NoteActivity(store.Activity{At: time.Now(), Kind: kinds[i%len(kinds)], Outcome: store.OutcomeOK, Client: id, Name: "client", Detail: "detail"})
		if i%1000 == 0 {
			if err := c.SetSetting(b.Context(), "a", nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, f := range map[string]store.ActivityFilter{
		"all": {}, "client": {Client: store.ClientID{7, 7, 1}}, "kind": {Kinds: kinds[3:4]}, "nothing": {Outcome: store.OutcomeFailed},
	} {
		f.Limit = 100
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if _, err := c.Activities(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
