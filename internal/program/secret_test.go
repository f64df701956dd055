package program

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	folder := t.TempDir()
	s := Secret{What: "the key", Variable: "KEY", File: filepath.Join(folder, "key")}
	if _, err := s.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	made, err := s.Make()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := s.Read(); err != nil || read != made {
		t.Errorf("it is not what was made, or %v", err)
	}
	if info, err := os.Stat(s.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := s.Make(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("another in its place: %v", err)
	}
	if read, err := s.Read(); err != nil || read != made {
		t.Errorf("it did not stay, or %v", err)
	}
	if names, err := os.ReadDir(folder); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}

	s.Text = strings.Repeat("01", 32)
	if read, err := s.Read(); err != nil || read == made {
		t.Errorf("the text goes before the file: %v", err)
	}
	for _, bad := range []string{"secret", strings.Repeat("01", 31), strings.Repeat("01", 33)} {
		s.Text = bad
		if _, err := s.Read(); err == nil || strings.Contains(err.Error(), bad) || !strings.Contains(err.Error(), "KEY") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWritePrivate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"old", "newer"} {
		if err := WritePrivate(name, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := WritePrivate(filepath.Join(name, "below"), nil); err == nil {
		t.Error("a file is no folder")
	}
	if err := WritePrivate(filepath.Dir(name), nil); err == nil {
		t.Error("a folder is no file")
	}
	if names, err := os.ReadDir(filepath.Dir(name)); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
