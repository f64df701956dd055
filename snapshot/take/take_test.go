package take_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/scan"
	"coffer/snapshot/snaptest"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// A machine backs up to a repository in memory.
type machine struct {
	t     testing.TB
	repo  *snaptest.Repository
	id    *age.X25519Identity
	keys  *snapshot.Keys
	cache *cache.Cache
	path  string
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := snapshot.DeriveKeys(id.String(), snapshot.MachineID{})
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, repo: snaptest.New(), id: id, keys: keys, path: filepath.Join(t.TempDir(), "cache")}
	m.open()
	t.Cleanup(func() { m.cache.Close() })
	return m
}

func (m *machine) open() {
	c, err := cache.Open(m.path, []byte("owner"), time.Second)
	if err != nil {
		m.t.Fatal(err)
	}
	m.cache = c
}

func (m *machine) takeKeys() take.Keys {
	return take.Keys{Keys: m.keys, Recipient: m.id.Recipient(), Epoch: snapshot.Epoch(m.id.Recipient().String())}
}

func (m *machine) viewKeys() view.Keys {
	return view.Keys{Identity: m.id, Of: func(snapshot.MachineID) (*snapshot.Keys, error) { return m.keys, nil }}
}

func (m *machine) options() take.Options {
	return take.Options{Label: "home", Host: "here", Source: "here:/home"}
}

func (m *machine) try(opts take.Options, paths ...string) (take.Result, error) {
	m.t.Helper()
	sources, err := scan.NewSources(paths...)
	if err != nil {
		m.t.Fatal(err)
	}
	return take.Folder(context.Background(), m.repo, m.takeKeys(), m.cache, sources, opts)
}

func (m *machine) backup(paths ...string) take.Result {
	m.t.Helper()
	result, err := m.try(m.options(), paths...)
	if err != nil {
		m.t.Fatal(err)
	}
	return result
}

func (m *machine) snapshot(version uint32) *view.Snapshot {
	m.t.Helper()
	s, err := view.Open(context.Background(), m.repo, m.viewKeys(), "home", version)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *machine) cat(version uint32, path string) string {
	m.t.Helper()
	s := m.snapshot(version)
	e, err := s.Find(context.Background(), path)
	if err != nil {
		m.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Content(context.Background(), e, &b); err != nil {
		m.t.Fatal(err)
	}
	return b.String()
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settle makes everything old enough to be believed.
func settle(t testing.TB, root string) { settleAt(t, root, time.Now().Add(-time.Hour)) }

func settleAt(t testing.TB, root string, at time.Time) {
	t.Helper()
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.Mode()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return string(b)
}

// Only what changed is sent, and an unchanged run sends nothing.
func TestOnlyWhatChanged(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	large := random(3 << 20)
	for i := range 200 {
		write(t, filepath.Join(root, fmt.Sprintf("d%d/e/f%d", i%7, i)), fmt.Sprintf("content %d", i))
	}
	write(t, filepath.Join(root, "large"), large)
	write(t, filepath.Join(root, "empty"), "")
	settle(t, root)
	first := m.backup(root)
	if first.Version != 1 || first.New != 202 || first.Files != 202 || first.Dirs != 15 || first.Added == 0 || first.Unreadable != 0 {
		t.Fatalf("first: %+v", first)
	}
	if got := m.cat(1, "large"); got != large {
		t.Error("the large file is not what it was")
	}
	if got := m.cat(1, "d3/e/f10"); got != "content 10" {
		t.Errorf("a small file: %q", got)
	}

	puts := m.repo.Puts
	second := m.backup(root)
	if second.Version != 2 || second.Unchanged != 202 || second.New+second.Changed != 0 || second.Added != 0 || m.repo.Puts != puts {
		t.Fatalf("second: %+v, %d packs", second, m.repo.Puts-puts)
	}

	write(t, filepath.Join(root, "d3/e/f10"), "other content")
	if err := os.Remove(filepath.Join(root, "d4/e/f4")); err != nil {
		t.Fatal(err)
	}
	third := m.backup(root)
	if third.Changed != 1 || third.Unchanged != 200 || third.Files != 201 || third.Added != uint64(len("other content")) {
		t.Fatalf("third: %+v", third)
	}
	for version, want := range map[uint32]string{1: "content 10", 2: "content 10", 3: "other content"} {
		if got := m.cat(version, "d3/e/f10"); got != want {
			t.Errorf("version %d: %q", version, got)
		}
		if got := m.cat(version, "large"); got != large {
			t.Errorf("version %d: the large file is not what it was", version)
		}
	}
	if _, err := m.snapshot(3).Find(context.Background(), "d4/e/f4"); err == nil {
		t.Error("a removed file is there")
	}
}
