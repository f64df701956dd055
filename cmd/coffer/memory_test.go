package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"coffer/backup"
	"coffer/export"
)

func testMemory(t *testing.T, home string, id string) *memory {
	t.Helper()
	a := &app{ctx: t.Context(), env: func(string) (string, bool) { return home, true }}
	m, err := a.memory(&profile{ClientID: id})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Runs at once lose nothing of each other's, and two accounts share nothing.
func TestMemoryOfManyRuns(t *testing.T) {
	home := t.TempDir()
	const runs = 20
	var wg sync.WaitGroup
	for n := range uint32(runs) {
		wg.Go(func() {
			m := testMemory(t, home, "aa") // as another process has its own
			for _, name := range []string{"one", "two"} {
				if err := m.Update(name, func(memento *backup.Memento) error {
					if memento.Versions == nil {
						memento.Versions = make(map[uint32]backup.Seen)
					}
					memento.Versions[n+1] = backup.Seen{SHA256: export.Hash{byte(n)}, Sent: true}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	known, err := testMemory(t, home, "aa").Load()
	if err != nil || len(known["one"].Versions) != runs || len(known["two"].Versions) != runs || known["one"].Newest() != runs {
		t.Errorf("%d and %d versions, %v", len(known["one"].Versions), len(known["two"].Versions), err)
	}
	if other, err := testMemory(t, home, "bb").Load(); err != nil || len(other) != 0 {
		t.Errorf("another account has %v, %v", other, err)
	}
	if info, err := os.Stat(filepath.Join(home, "seen.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(filepath.Join(home, "seen.json"))
	if err != nil || strings.Contains(string(text), `"aa"`) {
		t.Errorf("the client id is in it, or %v", err)
	}
}

// What cannot be read is not written over, and what fails changes nothing.
func TestMemoryIsKept(t *testing.T) {
	home := t.TempDir()
	m := testMemory(t, home, "aa")
	if complete, err := m.Complete(); err != nil || complete {
		t.Errorf("complete: %v, %v", complete, err)
	}
	if err := m.begin(); err != nil {
		t.Fatal(err)
	}
	if complete, err := m.Complete(); err != nil || !complete {
		t.Errorf("complete: %v, %v", complete, err)
	}
	no := errors.New("no")
	if err := m.Update("x", func(memento *backup.Memento) error { memento.Source = "y"; return no }); !errors.Is(err, no) {
		t.Error(err)
	}
	if known, err := m.Load(); err != nil || len(known) != 0 {
		t.Errorf("%v, %v", known, err)
	}
	for _, content := range []string{"", "{}", "[]", `{"version":2,"accounts":{}}`, "\x00\x00"} {
		if err := os.WriteFile(m.path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.begin(); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%q: %v", content, err)
		}
		if got, err := os.ReadFile(m.path); err != nil || string(got) != content {
			t.Errorf("%q became %q, %v", content, got, err)
		}
	}
}
