package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"coffer/internal/fileattr"
)

// describeTree gives one line for everything in a tree: kind, exact mode, time
// to the nanosecond, owner, and content, target or the first of its names.
func describeTree(t *testing.T, root string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	first := map[fileattr.Inode]string{}
	w := walker{
		visit: func(e entry) error {
			uid, gid, _ := fileattr.OwnerOf(e.info)
			line := fmt.Sprintf("%v %d.%09d %d:%d", e.info.Mode(),
				e.info.ModTime().Unix(), e.info.ModTime().Nanosecond(), uid, gid)
			if id, shared := fileattr.SharedInode(e.info); shared && !e.info.IsDir() {
				if first[id] == "" {
					first[id] = e.path
				}
				line += " same file as " + first[id]
			}
			switch e.info.Mode().Type() {
			case fs.ModeSymlink:
				target, err := e.dir.Readlink(e.name)
				if err != nil {
					return err
				}
				line += " -> " + target
			case 0:
				f, err := e.dir.Open(e.name)
				if err != nil {
					return err
				}
				defer f.Close()
				sum := sha256.New()
				n, err := io.Copy(sum, f)
				if err != nil {
					return err
				}
				line += fmt.Sprintf(" %d bytes %x", n, sum.Sum(nil))
			}
			tree[e.path] = line
			return nil
		},
		skipped: func(path, reason string) { t.Errorf("%q: %s", path, reason) },
	}
	if err := w.walk(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	return tree
}

func compareTrees(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%.80q:\n got %q\nwant %q", path, got[path], want[path])
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%.80q should not be there", path)
		}
	}
}

// makeRemovable lets t.TempDir remove a tree with folders that lock out.
func makeRemovable(t *testing.T, path string) {
	t.Cleanup(func() {
		if err := os.Chmod(path, 0o700); err != nil {
			return // it was never made
		}
		dir, err := os.OpenRoot(filepath.Dir(path))
		if err == nil {
			defer dir.Close()
			err = unlock(dir, filepath.Base(path))
		}
		if err != nil {
			t.Error(err)
		}
	})
}

func archiveBytes(t *testing.T, root string, opts ArchiveOptions) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Archive(t.Context(), root, &buf, opts); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// roundTrip archives root and unpacks it elsewhere.
func roundTrip(t *testing.T, root string, opts ArchiveOptions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	makeRemovable(t, dir)
	if err := unpackInto(t.Context(), bytes.NewReader(archiveBytes(t, root, opts)), dir, UnpackOptions{KeepSetID: true}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t *testing.T, path string, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// unpackTar unpacks a tar archive that is not compressed yet.
func unpackTar(ctx context.Context, plain []byte, dir string) error {
	return unpackInto(ctx, bytes.NewReader(compress(plain)), dir, UnpackOptions{})
}

// unpackInto unpacks into dir, which it makes if it is not there.
func unpackInto(ctx context.Context, r io.Reader, dir string, opts UnpackOptions) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = Unpack(ctx, r, root, opts)
	return err
}
