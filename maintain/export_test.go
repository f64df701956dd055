package maintain_test

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"coffer/export"
	"coffer/maintain"
)

// An export holds everything of one client and nothing else, is brought up to
// date by another run, and is not written over that of another client.
func TestExport(t *testing.T) {
	s := newStorage(t)
	ada, bob := s.client("ada"), s.client("bob")
	s.store(ada, "small", ciphertext(1, 160))
	s.store(ada, "large", ciphertext(2, 200_000))
	s.store(bob, "other", ciphertext(3, 160))
	folder := filepath.Join(t.TempDir(), "export")
	done, err := maintain.Export(t.Context(), s.catalog, s.blobs, "ada", folder, nil)
	if want := (maintain.Exported{Versions: 2, Bytes: 200_160}); err != nil || done != want {
		t.Errorf("exported %+v, %v, want %+v", done, err, want)
	}
	s.store(ada, "small", ciphertext(4, 160))
	done, err = maintain.Export(t.Context(), s.catalog, s.blobs, "ada", folder, nil)
	if want := (maintain.Exported{Versions: 3, Bytes: 200_320, Present: 2}); err != nil || done != want {
		t.Errorf("once more: %+v, %v, want %+v", done, err, want)
	}
	if _, err := maintain.Export(t.Context(), s.catalog, s.blobs, "bob", folder, nil); err == nil || !strings.Contains(err.Error(), "another client") {
		t.Errorf("over the export of ada: %v", err)
	}
	if _, err := maintain.Export(t.Context(), s.catalog, s.blobs, "nobody", t.TempDir(), nil); err == nil {
		t.Error("a client that does not exist was exported")
	}

	m, err := export.Open(folder)
	s.check(err)
	if len(m.Files) != 3 || m.Client != "ada" {
		t.Fatalf("the manifest: %+v", m)
	}
	for _, f := range m.Files {
		content, err := m.Content(&f)
		s.check(err)
		got, err := io.ReadAll(content)
		s.check(err)
		if int64(len(got)) != f.Size || f.Name == "large" && !bytes.Equal(got, ciphertext(2, 200_000)) {
			t.Errorf("%s has %d bytes", f.Name, len(got))
		}
		s.check(content.Close())
	}
}
