package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/store"
)

// awkward are names that are easily put in a wrong order, or taken for each
// other, in the order of their bytes.
var awkward = []string{
	" ", "%", "A", "Z", "_", "a", "a ", "a b", "a%", "a-b", "a.b", "a/", "a/b", "a/b/c", "a0", "aB", "a_b",
	"aa", "ab", "b", "e\u0301", "z", "\u00e9", "שלום", "שלום/ב", "日本", "\uffee", "😀",
}

// A listed is what the tests of List compare: the place of each version.
type listed = store.Cursor

func cursors(versions []store.Version) []listed {
	var out []listed
	for _, v := range versions {
		out = append(out, listed{Name: v.Name, Number: v.Number})
	}
	return out
}

// wantSet compares without regard to order.
func wantSet(t *testing.T, what string, got, want []store.BlobRef) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func testList(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	var newest, all []listed
	for n := range 3 {
		must(t, "add", c.AddClient(ctx, newClient(n)))
	}
	for f := range 11 {
		name := fmt.Sprintf("file %02d", f)
		versions := 1 + f*f%7
		for i := range versions {
			for n := range 2 {
				_, _, err := c.Commit(ctx, newVersion(n, name, 1, fmt.Sprint(n, f, "-", i)), keepNewest(0))
				must(t, "commit", err)
			}
			all = append(all, listed{Name: name, Number: uint32(versions - i)})
		}
		newest = append(newest, listed{Name: name, Number: uint32(versions)})
	}
	for _, mode := range []struct {
		all  bool
		want []listed
	}{{false, newest}, {true, all}} {
		for _, limit := range []int{1, 2, 3, 7, len(mode.want), 1000} {
			var got []listed
			var after store.Cursor
			for {
				page, err := c.List(ctx, clientID(1), after, limit, mode.all)
				must(t, "list", err)
				if len(page) == 0 {
					break
				}
				if len(page) > limit {
					t.Fatalf("a page of %d has %d", limit, len(page))
				}
				got = append(got, cursors(page)...)
				after = got[len(got)-1]
			}
			wantEqual(t, fmt.Sprintf("all %t by %d", mode.all, limit), got, mode.want)
		}
	}
	for _, all := range []bool{false, true} {
		none, err := c.List(ctx, clientID(2), store.Cursor{}, 10, all)
		must(t, "list nothing", err)
		wantEqual(t, "nothing", len(none), 0)
		none, err = c.List(ctx, clientID(1), store.Cursor{}, 0, all)
		must(t, "list none", err)
		wantEqual(t, "limit 0", len(none), 0)
	}
	first, err := c.List(ctx, clientID(1), store.Cursor{}, 1, false)
	must(t, "list", err)
	same, err := c.Version(ctx, clientID(1), first[0].Name, 0)
	must(t, "find", err)
	wantEqual(t, "a listed version", first[0], same)
}

func testListOrder(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	names := append(slices.Clone(awkward), strings.Repeat("n", 254), strings.Repeat("ש", 127))
	slices.Sort(names)
	must(t, "add", c.AddClient(ctx, newClient(1)))
	for i := range names {
		i = i * 17 % len(names) // not in their order
		_, _, err := c.Commit(ctx, newVersion(1, names[i], 1, i), keepNewest(0))
		must(t, "commit", err)
	}
	for _, all := range []bool{false, true} {
		var got []string
		var after store.Cursor
		for range len(names) + 1 {
			page, err := c.List(ctx, clientID(1), after, 1, all)
			must(t, "list", err)
			for _, v := range page {
				got = append(got, v.Name)
				after = store.Cursor{Name: v.Name, Number: v.Number}
			}
		}
		wantEqual(t, "names", got, names)
	}
}

// A cursor is a place, not a row: what it names may be gone, or have got
// newer versions, by the time of the next page.
func testListChanging(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	must(t, "add", c.AddClient(ctx, newClient(1)))
	for _, name := range []string{"a", "c", "e"} {
		for i := range 3 {
			_, _, err := c.Commit(ctx, newVersion(1, name, 1, fmt.Sprint(name, i)), keepNewest(0))
			must(t, "commit", err)
		}
	}
	_, err := c.Remove(ctx, clientID(1), "c", 2)
	must(t, "remove", err)
	_, _, err = c.Commit(ctx, newVersion(1, "c", 1, "c3"), keepNewest(0))
	must(t, "commit", err)
	tests := []struct {
		after store.Cursor
		all   bool
		want  []listed
	}{
		{store.Cursor{Name: "c", Number: 2}, true, []listed{{Name: "c", Number: 1}, {Name: "e", Number: 3}}},
		{store.Cursor{Name: "c", Number: 3}, true, []listed{{Name: "c", Number: 1}, {Name: "e", Number: 3}}},
		{store.Cursor{Name: "c", Number: 1}, true, []listed{{Name: "e", Number: 3}, {Name: "e", Number: 2}}},
		{store.Cursor{Name: "b", Number: 9}, true, []listed{{Name: "c", Number: 4}, {Name: "c", Number: 3}}},
		{store.Cursor{Name: "c", Number: 3}, false, []listed{{Name: "e", Number: 3}}},
		{store.Cursor{Name: "b", Number: 1}, false, []listed{{Name: "c", Number: 4}, {Name: "e", Number: 3}}},
	}
	for _, test := range tests {
		page, err := c.List(ctx, clientID(1), test.after, 2, test.all)
		must(t, "list", err)
		wantEqual(t, fmt.Sprintf("after %v", test.after), cursors(page), test.want)
	}
}
