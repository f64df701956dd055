package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/program"
)

// coffer runs the program with a home of its own.
func coffer(t *testing.T, home string, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, program.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, func(name string) (string, bool) {
		if name == "COFFER_HOME" {
			return home, true
		}
		v, ok := env[name]
		return v, ok
	})
	return code, out.String(), errs.String()
}

// testProfile saves a profile with new keys.
func testProfile(t *testing.T, home string) *profile {
	t.Helper()
	p := &profile{Version: profileVersion, Server: "127.0.0.1:1", Username: "me", ClientID: hex.EncodeToString(make([]byte, 16)), Insecure: true}
	if _, err := p.makeKeys(1024); err != nil {
		t.Fatal(err)
	}
	a := &app{env: func(string) (string, bool) { return home, true }}
	if err := a.saveProfile(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUsage(t *testing.T) {
	registered := filepath.Join(t.TempDir(), "home")
	testProfile(t, registered)
	for _, test := range []struct {
		args string
		home string
		code int
		want string // in either output
	}{
		{"version", registered, 0, "coffer "},
		{"version --json", registered, 0, `"commit":`},
		{"version --json", registered, 0, `"go": "go1`},
		{"help", registered, 0, "backup"},
		{"help restore", registered, 0, "--accept-unsealed"},
		{"help bogus", registered, 2, "coffer: "},
		{"ls", t.TempDir(), 1, "coffer register"},
		{"restore a --delete", registered, 2, "--force"},
		{"remove a", registered, 2, "--yes"},
		{"--help", registered, 0, "backup"},
		{"bogus", registered, 2, "coffer: "},
		{"verify", registered, 2, "--all"},
		{"backup -", registered, 2, "--name"},
		{"backup a b --name c --archive", registered, 2, "one file or folder as a whole"},
		{"backup a --no-seal --exclude *.tmp", registered, 2, "one file or folder as a whole"},
		{"backup a --no-seal --archive", registered, 2, "exclude each other"},
		{"register --server x --name y --rsa-bits 100", registered, 2, "--rsa-bits"},
		{"register --server x --name y", registered, 1, "--force"},
		{"list", t.TempDir(), 1, "coffer register"},
		{"list", registered, 1, "no answer from 127.0.0.1:1"},
		{"pin", registered, 0, "without TLS"},
		{"pin nonsense", registered, 2, "is not a pin"},
		{"register --server x --name y --insecure --tls", t.TempDir(), 2, "--insecure excludes"},
		{"backup /nonexistent/file", registered, 1, "no such file"},
	} {
		t.Run(test.args, func(t *testing.T) {
			code, stdout, stderr := coffer(t, test.home, nil, strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if code != 0 && (stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "coffer: ")) {
				t.Errorf("an error is one line on standard error:\n%s%s", stdout, stderr)
			}
		})
	}
}

// Who types nothing else is shown what there is, and a script that it failed.
func TestAlone(t *testing.T) {
	code, stdout, stderr := coffer(t, t.TempDir(), nil)
	if code != 2 || stdout != "" || !strings.Contains(stderr, "Usage: coffer") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestProfileIsPrivate(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	testProfile(t, home)
	path := filepath.Join(home, "profile.json")
	for name, want := range map[string]os.FileMode{home: 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := coffer(t, home, nil, "list"); code != 1 || !strings.Contains(stderr, "chmod 600") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestDamagedProfile(t *testing.T) {
	home := t.TempDir()
	for _, content := range []string{"", "{}", `{"version":2}`, `{"version":1,"client_id":"00","rsa_key":"c2VjcmV0","identity":"secret"}`} {
		if err := os.WriteFile(filepath.Join(home, "profile.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := coffer(t, home, nil, "list")
		if code != 1 || !strings.Contains(stderr, "not a Coffer profile") || strings.Contains(stderr, "secret") {
			t.Errorf("%q: %d %s", content, code, stderr)
		}
	}
}

func TestKeyExportImport(t *testing.T) {
	home, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	p := testProfile(t, home)
	file := filepath.Join(t.TempDir(), "keys.age")
	env := map[string]string{"COFFER_PASSPHRASE": "glacier pewter mongoose"}
	for _, step := range []struct {
		home string
		env  map[string]string
		args []string
		code int
		want string
	}{
		{home, nil, []string{"key", "export", file}, 1, "--passphrase-file"},
		{home, map[string]string{"COFFER_PASSPHRASE": "a"}, []string{"key", "export", file}, 2, "too easy to guess"},
		{home, env, []string{"key", "export", file}, 0, "exported"},
		{home, env, []string{"key", "export", file}, 1, "already exists"},
		{other, map[string]string{"COFFER_PASSPHRASE": "a bad one"}, []string{"key", "import", file}, 1, "wrong passphrase"},
		{other, env, []string{"key", "import", file}, 0, "imported"},
		{other, env, []string{"key", "import", file}, 1, "--force"},
	} {
		if code, stdout, stderr := coffer(t, step.home, step.env, step.args...); code != step.code || !strings.Contains(stdout+stderr, step.want) {
			t.Errorf("%v: exit code %d\n%s%s", step.args, code, stdout, stderr)
		}
	}
	sealed, err := os.ReadFile(file)
	if err != nil || bytes.Contains(sealed, []byte(p.Identity)) {
		t.Errorf("the export shows the identity, or %v", err)
	}
	a := &app{env: func(string) (string, bool) { return other, true }}
	got, err := a.loadProfile()
	if err != nil || got.Identity != p.Identity || !bytes.Equal(got.RSAKey, p.RSAKey) || got.Server != p.Server {
		t.Errorf("another profile came out, or %v", err)
	}
}
