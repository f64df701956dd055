package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/stack"
)

// rolledBack is a person who has seen two snapshots of docs at a server that
// then has one, or none.
func rolledBack(t *testing.T) (p *stack.Person, goBack func(target string)) {
	t.Helper()
	core := stack.NewCore(t)
	p = stack.Register(t, core.Addr, "ada")
	for _, content := range []string{"monday", "tuesday"} {
		p.Write(t, "docs/f", []byte(content))
		p.Must(t, "backup", "docs")
	}
	elsewhere := stack.NewPerson(t)
	if err := os.CopyFS(elsewhere.Home, os.DirFS(p.Home)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(elsewhere.Home, "profile.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p, func(target string) { elsewhere.Must(t, "remove", target, "--yes") }
}

// Whatever reads a snapshot notices one that is older than what this machine has
// seen, and one that is gone.
func TestRolledBackSnapshots(t *testing.T) {
	p, goBack := rolledBack(t)
	reading := [][]string{{"cat", "docs:f"}, {"ls", "docs"}, {"find", "f"}, {"find", "f", "--in", "docs"}, {"diff", "docs", "docs"},
		{"restore", "docs", "-o", "out"}, {"restore", "docs:f", "-o", "-"}, {"verify", "docs"}, {"list"}, {"mount", t.TempDir()}}
	refused := func(says string) {
		t.Helper()
		for _, args := range reading {
			stdout, stderr, code := p.Run(t, args...)
			if code == 0 || !strings.Contains(stdout+stderr, says) || !strings.Contains(stdout+stderr, "--accept-older") {
				t.Errorf("coffer %q: exit code %d\n%s%s", args, code, stdout, stderr)
			}
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "out")); err == nil {
			t.Error("something was restored")
		}
	}
	goBack("docs@2")
	refused("older than the version that this machine last saw")
	if out := p.Must(t, "cat", "docs@1:f"); out != "monday" {
		t.Errorf("an older version that is asked for: %q", out)
	}
	for _, args := range reading[:5] {
		p.Must(t, append(args, "--accept-older")...)
	}
	goBack("docs")
	reading = [][]string{{"cat", "docs:f"}, {"ls", "docs"}, {"restore", "docs", "-o", "out"}, {"verify", "docs"}, {"list"}, {"mount", t.TempDir()}}
	refused("no longer on the server")
}

// What cannot be noted is restored and verified all the same: a disk that is full
// or read-only is when backups are needed.
func TestRestoreWithoutMemory(t *testing.T) {
	p, _ := rolledBack(t)
	lock := filepath.Join(p.Home, "seen.json.lock")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"restore", "docs", "-o", "out"}, {"verify", "docs"}, {"verify", "--all"}, {"backup", "docs"}} {
		stdout, stderr, code := p.Run(t, args...)
		if code != 0 || !strings.Contains(stderr, "failed to record this") {
			t.Errorf("coffer %q: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
}
