package main

import (
	"errors"
	"path/filepath"
	"testing"

	"coffer/internal/program"
)

// The name on the server is the last one of the path, composed; bytes that are
// not UTF-8 become nothing else.
func TestNameFor(t *testing.T) {
	for path, want := range map[string]string{
		"Re\u0301sume\u0301.pdf":               "R\u00e9sum\u00e9.pdf",
		"U\u0308bung/cafe\u0301":               "caf\u00e9",
		"\u1112\u1161\u11ab.txt":               "\ud55c.txt",
		"\u05e9\u05dc\u05d5\u05dd plain.txt/.": "\u05e9\u05dc\u05d5\u05dd plain.txt",
	} {
		if got, err := nameFor(filepath.Join(t.TempDir(), path)); err != nil || got != want {
			t.Errorf("%+q: %+q, %v", path, got, err)
		}
	}
	if got, err := nameFor("caf\xe9.txt"); !errors.Is(err, program.ErrUsage) {
		t.Errorf("not UTF-8: %q, %v", got, err)
	}
}
