package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"coffer/maintain"
	"coffer/store"
)

// scrub scrubs the storage of a stopped server.
func (c *core) scrub(opts maintain.ScrubOptions) (maintain.Scrubbed, []string) {
	c.t.Helper()
	c.open()
	defer c.closeStorage()
	var findings []string
	done, err := maintain.Scrub(c.t.Context(), c.catalog, c.blobs, opts, func(f maintain.Finding) error {
		findings = append(findings, fmt.Sprintf("%s %s %s %d", f.Fault, f.Client.Name, f.Name, f.Number))
		return nil
	})
	if err != nil {
		c.t.Errorf("scrub: %v", err)
	}
	slices.Sort(findings)
	return done, findings
}

// blobFile is where the large blob of a file's newest version lies.
func (c *core) blobFile(w *wire, name string) string {
	c.t.Helper()
	v, err := c.catalog.Version(c.t.Context(), store.ClientID(w.id), name, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	var found string
	err = filepath.WalkDir(filepath.Join(c.folder(), "received_files"), func(path string, _ os.DirEntry, err error) error {
		if _, noMetadata := os.Stat(path + ".json"); noMetadata == nil && fileSize(c.t, path) == v.Size {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		c.t.Fatalf("no blob of %s: %v", name, err)
	}
	return found
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
