package fair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// hold takes all slots and returns what gives them back.
func hold(t *testing.T, q *Queue) (release []func()) {
	t.Helper()
	for range q.limits.Slots {
		r, err := q.Acquire(t.Context(), "holder")
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, r)
	}
	return release
}

// One who asks once waits for a turn of each other, not for all that they want.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(Limits{Slots: 1, Waiting: 100, PerSource: 10})
		release := hold(t, q)[0]
		var mu sync.Mutex
		var served []string
		wait := func(source string) {
			go func() {
				r, err := q.Acquire(t.Context(), source)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				served = append(served, source)
				mu.Unlock()
				r()
				r() // a second time is nothing
			}()
			synctest.Wait()
		}
		for range 3 {
			wait("flood")
		}
		wait("other")
		wait("flood")
		wait("honest")
		release()
		synctest.Wait()
		if want := []string{"flood", "other", "honest", "flood", "flood", "flood"}; !slices.Equal(served, want) {
			t.Errorf("served %v, want %v", served, want)
		}
		if q.free != 1 || q.Waiting() != 0 || len(q.others.lines) != 0 || len(q.others.turns) != 0 {
			t.Errorf("left: %+v", q)
		}
	})
}

// What is too much is refused at once, but a newcomer is not refused for a
// flood: the flood gives way.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(Limits{Slots: 2, Waiting: 6, PerSource: 3})
		releases := hold(t, q)
		results := make(map[string][]error)
		var mu sync.Mutex
		wait := func(source string) {
			go func() {
				r, err := q.Acquire(t.Context(), source)
				mu.Lock()
				results[source] = append(results[source], err)
				mu.Unlock()
				if err == nil {
					r()
				}
			}()
			synctest.Wait()
		}
		for range 4 {
			wait("a")
			wait("b")
		}
		if fmt.Sprint(results["a"], results["b"]) != fmt.Sprint([]error{ErrBusy}, []error{ErrBusy}) {
			t.Errorf("beyond three of a source: %v", results)
		}
		wait("c") // full: a or b gives way
		if n := len(results["a"]) + len(results["b"]); n != 3 || q.Waiting() != 6 {
			t.Errorf("%d were refused, %d wait", n, q.Waiting())
		}
		for _, source := range []string{"d", "e", "f", "g", "h"} {
			wait(source)
		}
		if len(results["c"]) != 0 || len(results["d"]) != 0 || q.Waiting() != 6 {
			t.Errorf("c %v, d %v, %d wait", results["c"], results["d"], q.Waiting())
		}
		for _, r := range releases {
			r()
		}
		synctest.Wait()
		for _, source := range []string{"c", "d"} {
			if len(results[source]) != 1 || results[source][0] != nil {
				t.Errorf("%s: %v", source, results[source])
			}
		}
	})
}

// Who gives up leaves nothing behind, whether called in the meantime or not.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(Limits{Slots: 1, Waiting: 6, PerSource: 3})
		release := hold(t, q)[0]
		ctx, cancel := context.WithCancel(t.Context())
		for _, source := range []string{"a", "a", "b"} {
			go func() {
				if _, err := q.Acquire(ctx, source); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", source, err)
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if q.Waiting() != 0 || len(q.others.lines) != 0 || len(q.others.turns) != 0 {
			t.Errorf("left: %+v", q)
		}
		release()
		if q.free != 1 {
			t.Errorf("%d are free", q.free)
		}
	})
}

// Who is known waits for no round of the others, and pushes them out if the
// queue is full, but never keeps them from every other slot.
func TestKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(Limits{Slots: 1, Waiting: 6, PerSource: 5})
		release := hold(t, q)[0]
		var mu sync.Mutex
		var served, refused []string
		wait := func(acquire func(context.Context, string) (func(), error), source string) {
			go func() {
				r, err := acquire(t.Context(), source)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused = append(refused, source)
					return
				}
				served = append(served, source)
				defer r()
			}()
			synctest.Wait()
		}
		for n := range 6 {
			wait(q.Acquire, fmt.Sprint("other ", n))
		}
		wait(q.Acquire, "newcomer")
		for range 3 {
			wait(q.AcquireKnown, "owner")
		}
		if len(refused) != 4 || refused[0] != "newcomer" || q.Waiting() != 6 {
			t.Errorf("refused %q, %d wait", refused, q.Waiting())
		}
		release()
		synctest.Wait()
		if len(served) != 6 || served[0] != "owner" || served[1] == "owner" || served[2] != "owner" || served[3] == "owner" || served[4] != "owner" {
			t.Errorf("served %q", served)
		}
		if q.free != 1 || q.Waiting() != 0 || len(q.known.lines) != 0 || len(q.known.turns) != 0 {
			t.Errorf("left: %+v", q)
		}
	})
}
