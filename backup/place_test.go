package backup

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/client"
	"coffer/seal"
)

// backUpFolder backs a folder of files up as "x".
func backUpFolder(t *testing.T, session *client.Session, id *seal.Identity, files map[string]string) {
	t.Helper()
	root := t.TempDir()
	writeTree(t, root, files)
	source, err := Path(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backUp(t, session, source, Options{Identity: id}); err != nil {
		t.Fatal(err)
	}
}

func writeTree(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// compareTree holds the files below root against what they should be, "" for
// none.
func compareTree(t *testing.T, root string, want map[string]string) {
	t.Helper()
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(root, name))
		if content == "" {
			if err == nil {
				t.Errorf("%s is there", name)
			}
		} else if string(got) != content {
			t.Errorf("%s is %q, %v, want %q", name, got, err, content)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, ".*coffer*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRestoreOntoFolder(t *testing.T) {
	for _, test := range []struct {
		name  string
		force bool
		drop  bool
		there map[string]string
		want  error
		then  map[string]string
	}{
		{"refuses", false, false, map[string]string{"own": "mine"}, ErrExists, map[string]string{"own": "mine", "a": ""}},
		{"leaves the rest", true, false, map[string]string{"own": "mine", "a": "old", "sub/own": "mine", "sub/b": "old"}, nil,
			map[string]string{"own": "mine", "a": "new a", "sub/own": "mine", "sub/b": "new b"}},
		{"deletes the rest", true, true, map[string]string{"own": "mine", "a": "old", "sub/own": "mine", "dir/x": "mine"}, nil,
			map[string]string{"own": "", "a": "new a", "sub/own": "", "sub/b": "new b", "dir/x": ""}},
		{"a folder for a file", true, false, map[string]string{"sub": "a file"}, nil, map[string]string{"sub/b": "new b"}},
		{"a file for a folder", true, false, map[string]string{"own": "mine", "a/precious": "mine"}, seal.ErrFolderInTheWay,
			map[string]string{"own": "mine", "a/precious": "mine", "sub/b": ""}},
		{"a file for a folder, by force", true, true, map[string]string{"a/precious": "mine"}, nil, map[string]string{"a": "new a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, session := newFake(t)
			id := identity(t)
			backUpFolder(t, session, id, map[string]string{"a": "new a", "sub/b": "new b"})
			to := filepath.Join(t.TempDir(), "to")
			writeTree(t, to, test.there)
			opts := RestoreOptions{Identity: id, Path: to, Force: test.force, Delete: test.drop}
			if _, err := Restore(context.Background(), session, "x", 0, opts); !errors.Is(err, test.want) {
				t.Fatal(err)
			}
			compareTree(t, to, test.then)
		})
	}
}

// What fails leaves what is there alone, and nothing beside it.
func TestFailedRestoreOntoFolder(t *testing.T) {
	f, session := newFake(t)
	id := identity(t)
	f.damage = func(b []byte) { b[len(b)-1] ^= 1 }
	backUpFolder(t, session, id, map[string]string{"a": "new"})
	to := filepath.Join(t.TempDir(), "to")
	writeTree(t, to, map[string]string{"a": "old"})
	if err := os.Chmod(to, 0o555); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Path: to, Force: true}); err == nil {
		t.Fatal("damaged content was restored")
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
	compareTree(t, to, map[string]string{"a": "old"})
	if err := os.Chmod(to, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestRestoreIsBounded(t *testing.T) {
	f, session := newFake(t)
	id := identity(t)
	if _, err := backUp(t, session, writeFile(t, content(100_000)), Options{Identity: id}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		max  int64
		want error
	}{{0, nil}, {100_000, nil}, {99_999, seal.ErrTooMuch}} {
		to := filepath.Join(t.TempDir(), "to")
		if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Path: to, MaxSize: test.max}); !errors.Is(err, test.want) {
			t.Errorf("at most %d: %v", test.max, err)
		}
		if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Writer: io.Discard, MaxSize: test.max}); !errors.Is(err, test.want) {
			t.Errorf("at most %d, to a writer: %v", test.max, err)
		}
	}
	// A server that sends more than it announced, or announces what no disk has.
	f.files["x"].data = append(f.files["x"].data, make([]byte, 1<<20)...)
	if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Writer: io.Discard}); err == nil {
		t.Error("more content than announced was taken")
	}
	f.files["x"].info.OriginalSize, f.files["x"].info.Size = 1<<62, 1<<62+16
	if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Path: filepath.Join(t.TempDir(), "to")}); !errors.Is(err, seal.ErrNoRoom) {
		t.Errorf("4 EiB: %v", err)
	}
}

// What is reported of a folder has full paths, and is counted.
func TestSkippedIsTold(t *testing.T) {
	_, session := newFake(t)
	root := t.TempDir()
	writeTree(t, root, map[string]string{"a": strings.Repeat("a", 500_000), "b": "b"})
	source, err := Path(root)
	if err != nil {
		t.Fatal(err)
	}
	var reported []string
	once := false
	result, err := backUp(t, session, source, Options{
		Progress: func(string, int64, int64) {
			if !once {
				once = true
				os.Truncate(filepath.Join(root, "a"), 10)
				os.Remove(filepath.Join(root, "b"))
			}
		},
		Skipped: func(path, _ string) { reported = append(reported, path) },
		Changed: func(path, _ string) { reported = append(reported, path) },
	})
	if err != nil || result.Skipped != 1 || result.Changed != 1 || len(reported) != 2 || reported[0] != filepath.Join(root, "a") || reported[1] != filepath.Join(root, "b") {
		t.Errorf("%+v, %v, reported %q", result, err, reported)
	}
}

// Two names that one file system takes for the same are kept apart.
func TestApart(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	writeTree(t, dir, map[string]string{"Photos/a": "a", "other": "b"})
	// What a case-insensitive file system shows, here by another name's link.
	if err := os.Link(filepath.Join(dir, "Photos", "a"), filepath.Join(dir, "Photos", "A")); err != nil {
		t.Skip(err)
	}
	a := &apart{root: root, names: map[string]bool{}, placed: map[string][]os.FileInfo{}}
	info, err := root.Lstat("Photos/a")
	if err != nil {
		t.Fatal(err)
	}
	a.placed[folded("Photos/a")] = []os.FileInfo{info}
	for name, want := range map[string]bool{"Photos/A": true, "photos/a": false, "Photos/b": false, "other": false} {
		if got := a.isPlaced(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	for _, pair := range [][2]string{{"é", "e\u0301"}, {"Straße", "STRASSE"}, {"a.", "a"}, {"x/Y ", "X/y"}} {
		if folded(pair[0]) != folded(pair[1]) {
			t.Errorf("%q and %q may be one name somewhere", pair[0], pair[1])
		}
	}
}

func TestCheckLocalName(t *testing.T) {
	for _, name := range []string{"a", "a/b", "a b", "...", "żółć", "a./b"} {
		if err := CheckLocalName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "a/", "a//b", "/a", "..", "../a", "a/../b", "a/.", "a\\b", "a\x1b[2J", "\xff"} {
		if CheckLocalName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
