package view_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/snapshot"
	"coffer/snapshot/snaptest"
	"coffer/snapshot/view"
)

// An account has snapshots of one folder in a repository in memory.
type account struct {
	*snaptest.Account
	t *testing.T
}

func newAccount(t *testing.T) *account { return &account{snaptest.NewAccount(t), t} }

func (a *account) write(path, content string) {
	a.t.Helper()
	full := filepath.Join(a.Root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(content), 0o644)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) backup() { a.Backup("home") }

func (a *account) open(version uint32) *view.Snapshot {
	a.t.Helper()
	s, err := view.Open(a.t.Context(), a.Repo, a.ViewKeys(), "home", version)
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

// lose has the server lose the pack that a folder's tree is in.
func (a *account) lose(s *view.Snapshot, path string) {
	a.t.Helper()
	e, err := s.Find(a.t.Context(), path)
	if err != nil {
		a.t.Fatal(err)
	}
	a.Repo.Replace(e.Subtree[0].Pack, nil)
}

func (a *account) restore(s *view.Snapshot, to string, opts view.RestoreOptions) (view.Restored, error) {
	a.t.Helper()
	root, err := os.OpenRoot(to)
	if err != nil {
		a.t.Fatal(err)
	}
	defer root.Close()
	return s.Restore(a.t.Context(), &s.Root, root, opts)
}

// What a damaged folder held is unknown, so nothing in it is deleted for not
// being there.
func TestNothingIsDeletedFromADamagedFolder(t *testing.T) {
	a := newAccount(t)
	a.write("a/f", "first")
	a.backup()
	a.write("b/g", "second") // its tree is in another pack than that of a
	a.backup()
	s := a.open(2)
	to := t.TempDir()
	if _, err := a.restore(s, to, view.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, extra := range []string{"a/extra", "b/extra"} {
		if err := os.WriteFile(filepath.Join(to, extra), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.lose(s, "a")
	var failed []string
	restored, err := a.restore(a.open(2), to, view.RestoreOptions{Delete: true, KeepGoing: true, Failed: func(path string, err error) {
		if !errors.Is(err, view.ErrDamaged) {
			t.Errorf("%s: %v", path, err)
		}
		failed = append(failed, path)
	}})
	if err != nil || !slices.Equal(failed, []string{"a"}) || restored.Failed != 1 || restored.Deleted != 1 {
		t.Fatalf("%+v, %q, %v", restored, failed, err)
	}
	for path, want := range map[string]bool{"a/f": true, "a/extra": true, "b/g": true, "b/extra": false} {
		if _, err := os.Stat(filepath.Join(to, path)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", path, err == nil, want)
		}
	}
}

// Without KeepGoing, damage ends a restore.
func TestDamageEndsARestore(t *testing.T) {
	a := newAccount(t)
	a.write("a/f", "content")
	a.backup()
	s := a.open(1)
	a.lose(s, "a")
	if _, err := a.restore(a.open(1), t.TempDir(), view.RestoreOptions{}); !errors.Is(err, view.ErrDamaged) {
		t.Errorf("restored: %v", err)
	}
	found, err := a.open(1).Verify(t.Context(), view.Slice{}, nil)
	if err != nil || found.Bad == 0 {
		t.Errorf("verified: %+v, %v", found, err)
	}
}

func TestDiff(t *testing.T) {
	a := newAccount(t)
	a.write("same/f", "unchanged")
	a.write("d/changed", "old")
	a.write("d/gone", "old")
	a.write("mode", "content")
	a.backup()
	a.write("d/changed", "new content")
	a.write("d/new", "new")
	if err := errors.Join(os.Remove(filepath.Join(a.Root, "d/gone")), os.Chmod(filepath.Join(a.Root, "mode"), 0o600)); err != nil {
		t.Fatal(err)
	}
	a.backup()
	old, is := a.open(1), a.open(2)
	got := map[string]string{}
	err := view.Diff(t.Context(), old, is, &old.Root, &is.Root, func(c view.Change) error {
		switch {
		case c.Old == nil:
			got[c.Path] = "added"
		case c.New == nil:
			got[c.Path] = "removed"
		case c.Content:
			got[c.Path] = "changed"
		case c.New.Type == snapshot.File:
			got[c.Path] = "attributes"
		}
		return nil
	})
	want := map[string]string{"d/changed": "changed", "d/gone": "removed", "d/new": "added", "mode": "attributes"}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for path, how := range want {
		if got[path] != how {
			t.Errorf("%s: %q, want %q", path, got[path], how)
		}
	}
}

func TestFind(t *testing.T) {
	a := newAccount(t)
	for _, name := range []string{"a", "b", "c"} {
		a.write("d/"+name, name+strings.Repeat("x", 100))
	}
	a.backup()
	s := a.open(0)
	for _, path := range []string{"d/b", "/d/b/", "d//b"} {
		e, err := s.Find(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		var content bytes.Buffer
		if err := s.Content(t.Context(), e, &content); err != nil || !strings.HasPrefix(content.String(), "bx") {
			t.Errorf("%s: %q, %v", path, content.String(), err)
		}
	}
	for _, path := range []string{"d/bb", "e", "d/b/c", "d/.."} {
		if e, err := s.Find(t.Context(), path); !errors.Is(err, view.ErrNotFound) {
			t.Errorf("%s: %+v, %v", path, e, err)
		}
	}
	if err := s.Content(t.Context(), &s.Root, new(bytes.Buffer)); err == nil {
		t.Error("a folder has content")
	}
}

// A server that answers with another version, or a snapshot of another name, is
// caught.
func TestSwappedSnapshots(t *testing.T) {
	a := newAccount(t)
	a.write("f", "content")
	a.backup()
	a.backup()
	for name, repo := range map[string]view.Repository{
		"another version": swapped{a.Repo, func(name string, version uint32) (string, uint32) { return name, 1 }},
		"another name":    swapped{a.Repo, func(string, uint32) (string, uint32) { return a.Keys.WireName("home"), 2 }},
	} {
		label := "home"
		if name == "another name" {
			label = "other"
		}
		if _, err := view.Open(t.Context(), repo, a.ViewKeys(), label, 2); !errors.Is(err, view.ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// swapped answers for another snapshot than it is asked for.
type swapped struct {
	*snaptest.Repository
	other func(name string, version uint32) (string, uint32)
}

func (s swapped) Manifest(ctx context.Context, name string, version uint32) (uint32, []byte, error) {
	name, version = s.other(name, version)
	return s.Repository.Manifest(ctx, name, version)
}

func TestAt(t *testing.T) {
	a := newAccount(t)
	a.write("f", "content")
	before := time.Now()
	a.backup()
	a.backup()
	if version, err := view.At(t.Context(), a.Repo, a.ViewKeys(), "home", time.Now()); err != nil || version != 2 {
		t.Errorf("now: version %d, %v", version, err)
	}
	if version, err := view.At(t.Context(), a.Repo, a.ViewKeys(), "home", before); !errors.Is(err, view.ErrNotFound) {
		t.Errorf("before the first: version %d, %v", version, err)
	}
}

func TestListOfForeignSnapshots(t *testing.T) {
	a, b := newAccount(t), newAccount(t)
	a.write("f", "content")
	a.backup()
	listed := 0
	err := view.List(t.Context(), a.Repo, b.ViewKeys(), "", true, func(s view.Summary, bad error) error {
		listed++
		if !errors.Is(bad, snapshot.ErrForged) || s.Label != "" {
			t.Errorf("%+v, %v", s.Head, bad)
		}
		return nil
	})
	if err != nil || listed != 1 {
		t.Errorf("%d listed, %v", listed, err)
	}
}
