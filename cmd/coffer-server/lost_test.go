package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/program"
	"coffer/store"
	"coffer/store/files"
	"coffer/store/sqlite"
)

// A catalog that was lost beside what clients have stored, in whatever way, is
// not taken for that of a fresh server by any command, and rebuild brings it
// back.
func TestLostCatalog(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(t *testing.T, folder string)
		says string
	}{
		{"removed", func(t *testing.T, folder string) { removeAll(t, folder, catalogName+"*") }, "rebuild"},
		{"emptied", func(t *testing.T, folder string) {
			if err := os.Truncate(filepath.Join(folder, catalogName), 0); err != nil {
				t.Fatal(err)
			}
		}, "rebuild"},
		{"without a row", func(t *testing.T, folder string) {
			withCatalog(t, folder, func(c *sqlite.Catalog) error { _, err := c.RemoveClient(t.Context(), store.ClientID{1}); return err })
		}, "rebuild"},
		{"removed, with the master key", func(t *testing.T, folder string) {
			removeAll(t, folder, catalogName+"*")
			removeAll(t, folder, masterKeyName)
		}, "rebuild"},
		{"the other way round: no files", func(t *testing.T, folder string) { removeAll(t, folder, blobsName) }, "mounted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := dataWithFile(t)
			command := func(args string) (int, string) {
				var out bytes.Buffer
				code := run(t.Context(), strings.Fields(args+" --data "+folder), program.Streams{Out: &out, Err: &out})
				return code, out.String()
			}
			tt.lose(t, folder)
			for _, args := range []string{"serve --listen 256.0.0.1:1 --internal-listen=off --console-listen=off", "scrub --collect", "export --client ada --to " + t.TempDir()} {
				if code, said := command(args); code != program.ExitFail || !strings.Contains(said, tt.says) {
					t.Errorf("%s: exit code %d\n%s", args, code, said)
				}
			}
			if tt.says != "rebuild" {
				return
			}
			if _, err := os.Stat(filepath.Join(folder, catalogName)); err == nil && tt.name == "without a row" {
				removeAll(t, folder, catalogName+"*")
			}
			if code, said := command("rebuild"); code != program.ExitOK || !strings.Contains(said, "1 client, 1 file version,") {
				t.Errorf("rebuild: exit code %d\n%s", code, said)
			}
			if code, said := command("scrub"); code != program.ExitOK || !strings.Contains(said, "read back 1 file version") {
				t.Errorf("scrub: exit code %d\n%s", code, said)
			}
		})
	}
}

func removeAll(t *testing.T, folder, pattern string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	for _, name := range names {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

func withCatalog(t *testing.T, folder string, do func(*sqlite.Catalog) error) {
	t.Helper()
	c, err := sqlite.Open(t.Context(), filepath.Join(folder, catalogName))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(c), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// dataWithFile is a data folder with one client that has one file.
func dataWithFile(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"scrub", "--data", folder}, program.Streams{Out: &out, Err: &out}); code != program.ExitOK {
		t.Fatalf("exit code %d\n%s", code, &out)
	}
	blobs, err := files.Open(filepath.Join(folder, blobsName))
	if err != nil {
		t.Fatal(err)
	}
	client := store.Client{ID: store.ClientID{1}, Name: "ada"}
	withCatalog(t, folder, func(c *sqlite.Catalog) error { return storeFile(t.Context(), c, blobs, client) })
	if err := blobs.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

func storeFile(ctx context.Context, catalog store.Catalog, blobs store.Blobs, client store.Client) error {
	content := make([]byte, 16)
	meta := store.Metadata{SHA256: sha256.Sum256(content), Upload: store.UploadID{1}, Client: client.ID, Name: "f", Size: 16, OriginalSize: 1, OAEPHash: "sha256"}
	ref, err := blobs.Put(ctx, meta, content)
	if err != nil {
		return err
	}
	if err := errors.Join(catalog.AddClient(ctx, client), blobs.PutAccountRecord(ctx, store.AccountRecord{Client: client})); err != nil {
		return err
	}
	return errors.Join(catalog.AddVersion(ctx, store.Version{Metadata: meta, Number: 1, Verified: true, Blob: ref}),
		blobs.Confirm(ctx, ref, store.Confirmation{Number: 1, Verified: true}))
}
