package export_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"coffer/export"
)

func manifest() *export.Manifest {
	return &export.Manifest{Format: export.Format, Version: export.Version, Client: "anna", Created: time.Unix(1e9, 0).UTC(), Files: []export.File{
		{Name: "a", Version: 2, Size: 32, OriginalSize: 16, OAEPHash: "sha256", WrappedKey: []byte{1, 2}, SHA256: export.Hash{0: 0xab, 31: 1}},
		{Name: "a", Version: 1, Size: 16, OriginalSize: 15, OAEPHash: "sha1"},
	}}
}

func encode(t testing.TB, m *export.Manifest) []byte {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParse(t *testing.T) {
	want := manifest()
	got, err := export.Parse(encode(t, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, spoil := range map[string]func(*export.Manifest){
		"another format":   func(m *export.Manifest) { m.Format = "tar" },
		"a newer layout":   func(m *export.Manifest) { m.Version = export.WithSnapshots + 1 },
		"no name":          func(m *export.Manifest) { m.Files[0].Name = "" },
		"version 0":        func(m *export.Manifest) { m.Files[0].Version = 0 },
		"a version twice":  func(m *export.Manifest) { m.Files[0].Version = 1 },
		"wrong size":       func(m *export.Manifest) { m.Files[0].Size++ },
		"negative size":    func(m *export.Manifest) { m.Files[0].OriginalSize = -16; m.Files[0].Size = 0 },
		"overflowing size": func(m *export.Manifest) { m.Files[0].OriginalSize = 1<<63 - 1; m.Files[0].Size = -1 << 63 },
		"unknown hash":     func(m *export.Manifest) { m.Files[1].OAEPHash = "md5" },
	} {
		m := manifest()
		spoil(m)
		if _, err := export.Parse(encode(t, m)); !errors.Is(err, export.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "{", "null", `{"format":"coffer-export","version":1,"files":[{"sha256":"ab"}]}`} {
		if _, err := export.Parse([]byte(text)); !errors.Is(err, export.ErrManifest) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFolder(t *testing.T) {
	folder := t.TempDir()
	if _, err := export.Open(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a manifest: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, export.ManifestName), encode(t, manifest()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := export.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[uint32]uint32{0: 2, 1: 1, 2: 2} {
		if file, err := f.Find("a", asked); err != nil || file.Version != want {
			t.Errorf("version %d: %+v, %v", asked, file, err)
		}
	}
	for _, missing := range []struct {
		name    string
		version uint32
	}{{"b", 0}, {"a", 3}} {
		if _, err := f.Find(missing.name, missing.version); !errors.Is(err, export.ErrNoFile) {
			t.Errorf("%+v: %v", missing, err)
		}
	}
	if got := export.ContentPath("x", f.Files[0].SHA256); !strings.HasPrefix(got, filepath.Join("x", "content", "ab0000")) {
		t.Errorf("content is at %s", got)
	}
}

// Whatever is a manifest is the same one after writing it again.
func FuzzParse(f *testing.F) {
	f.Add(encode(f, manifest()))
	f.Add([]byte(`{"format":"coffer-export","version":1,"files":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := export.Parse(text)
		if err != nil {
			if !errors.Is(err, export.ErrManifest) {
				t.Errorf("%v is not ErrManifest", err)
			}
			return
		}
		written, err := json.Marshal(m)
		if err != nil {
			return // a time that JSON cannot say
		}
		again, err := export.Parse(written)
		if err != nil || string(encode(t, again)) != string(written) {
			t.Errorf("%s\nbecame %+v, %v", written, again, err)
		}
	})
}
