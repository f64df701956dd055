//go:build unix

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A data folder that others can look into is said to be one, with what to do,
// and so are secrets in it; a private one is not.
func TestWarnOfModes(t *testing.T) {
	for _, tt := range []struct {
		folder, key, secret os.FileMode
		want                []string // at the end of the warnings
	}{
		{0o700, 0o600, 0o600, nil},
		{0o700, 0o644, 0o644, nil}, // nobody comes to them
		{0o710, 0o600, 0o640, nil}, // a gateway of the group
		{0o755, 0o600, 0o640, []string{"chmod 700 D"}},
		{0o750, 0o600, 0o600, []string{"chmod 700 D"}},
		{0o702, 0o600, 0o600, []string{"chmod 700 D"}},
		{0o711, 0o640, 0o600, []string{"chmod 600 D/master.key"}},
		{0o755, 0o644, 0o644, []string{"chmod 700 D", "chmod 600 D/master.key", "chmod 600 D/core.secret"}},
	} {
		folder := t.TempDir()
		for name, mode := range map[string]os.FileMode{masterKeyName: tt.key, coreSecretName: tt.secret, "": tt.folder} {
			path := filepath.Join(folder, name)
			if name != "" {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		warnOfModes(folder, slog.New(slog.NewTextHandler(&out, nil)))
		said := strings.ReplaceAll(out.String(), folder, "D")
		if n := strings.Count(said, "level=WARN"); n != len(tt.want) {
			t.Errorf("%o, %o, %o: %d warnings, want %d:\n%s", tt.folder, tt.key, tt.secret, n, len(tt.want), said)
		}
		for _, want := range tt.want {
			if !strings.Contains(said, "run: "+want+`"`) {
				t.Errorf("%o, %o, %o: no %q in\n%s", tt.folder, tt.key, tt.secret, want, said)
			}
		}
	}
}
