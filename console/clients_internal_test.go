package console

import (
	"testing"

	"coffer/store"
)

// FuzzCursor: what can be read is a place that a page can end at.
func FuzzCursor(f *testing.F) {
	for _, at := range []store.Cursor{{Name: "a", Number: 1}, {Name: "a:b/ü", Number: 1<<32 - 1}} {
		f.Add(formatCursor(at))
		if got, err := parseCursor(formatCursor(at)); err != nil || got != at {
			f.Errorf("%+v came out as %+v, %v", at, got, err)
		}
	}
	f.Add("OmE")
	f.Add("MDE6YQ")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseCursor(text)
		if err != nil || text == "" {
			return
		}
		if again, err := parseCursor(formatCursor(at)); err != nil || again != at || at.Name == "" {
			t.Fatalf("%q is %+v", text, at)
		}
	})
}
