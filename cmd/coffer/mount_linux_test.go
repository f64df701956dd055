package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Why nothing was mounted is one line.
func TestMountRefuses(t *testing.T) {
	registered := t.TempDir()
	testProfile(t, registered)
	for _, test := range []struct {
		home, folder string
		code         int
		want         string
	}{
		{registered, ".", 1, "is not empty"},
		{registered, filepath.Join(registered, "none"), 2, "no such file"},
		{registered, t.TempDir(), 1, "no answer from 127.0.0.1:1"},
		{t.TempDir(), t.TempDir(), 1, "coffer register"},
	} {
		code, stdout, stderr := coffer(t, test.home, nil, "mount", test.folder)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("mount %s: exit code %d\n%s%s", test.folder, code, stdout, stderr)
		}
	}
}
