//go:build unix

package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"coffer/export"
)

// Pipes and devices where files should be neither hang nor pass.
func TestSpecialFilesAreRefused(t *testing.T) {
	m := manifest()
	for name, put := range map[string]func(path string) error{
		"a pipe":             func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":           func(path string) error { return os.Mkdir(path, 0o700) },
		"a link to a device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"another size":       func(path string) error { return os.WriteFile(path, make([]byte, 31), 0o600) },
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, export.ManifestName), encode(t, m), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(folder, export.ContentName), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := put(export.ContentPath(folder, m.Files[0].SHA256)); err != nil {
			t.Fatal(err)
		}
		f, err := export.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := f.Content(&f.Files[0]); !errors.Is(err, export.ErrContent) {
			t.Errorf("%s as content: %v, %v", name, content, err)
		}
		other := t.TempDir()
		if err := put(filepath.Join(other, export.ManifestName)); err != nil {
			t.Fatal(err)
		}
		if _, err := export.Open(other); err == nil {
			t.Errorf("%s as a manifest: no error", name)
		}
	}
}
