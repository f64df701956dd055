package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// saveNamed saves a profile of a name with new keys.
func saveNamed(t *testing.T, home, name, account string) *profile {
	t.Helper()
	p := testProfile(t, t.TempDir())
	p.Username = account
	a := &app{env: func(string) (string, bool) { return home, true }, profile: name}
	if err := a.saveProfile(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// works runs a command that must succeed, and returns what it prints.
func works(t *testing.T, home string, env map[string]string, line string) string {
	t.Helper()
	code, stdout, stderr := coffer(t, home, env, strings.Fields(line)...)
	if code != 0 || stderr != "" {
		t.Fatalf("coffer %s: exit code %d\n%s%s", line, code, stdout, stderr)
	}
	return stdout
}

// listedProfiles are what profile list prints, with what it prints in use.
func listedProfiles(t *testing.T, home string, env map[string]string, line string) (names []string, used string) {
	t.Helper()
	var all []profileJSON
	if err := json.Unmarshal([]byte(works(t, home, env, line)), &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		names = append(names, p.Name+":"+p.Account)
		if p.InUse {
			used += p.Name
		}
	}
	return names, used
}

// Several accounts live on one machine, and each command uses the one that it is
// asked to, or else the one chosen.
func TestProfiles(t *testing.T) {
	home := t.TempDir()
	first := testProfile(t, home)
	if names, used := listedProfiles(t, home, nil, "profile list --json"); strings.Join(names, " ") != "default:me" || used != "default" {
		t.Errorf("one profile is %q, %s in use", names, used)
	}
	if out := works(t, home, nil, "profile add work"); !strings.Contains(out, "coffer register --profile work") {
		t.Errorf("adding a profile says %s", out)
	}
	if code, _, stderr := coffer(t, home, nil, "pin", "--profile", "work"); code != 1 || !strings.Contains(stderr, "is empty: create an account with coffer register --profile work") {
		t.Errorf("an empty profile: exit code %d, %s", code, stderr)
	}
	second := saveNamed(t, home, "work", "you")
	for _, test := range []struct {
		line string
		env  map[string]string
		used string
	}{
		{"profile list --json", nil, "default"},
		{"profile list --json --profile work", nil, "work"},
		{"profile list --json", map[string]string{"COFFER_PROFILE": "work"}, "work"},
		{"profile list --json", map[string]string{"COFFER_PROFILE": ""}, "default"},
		{"profile list --json --profile default", map[string]string{"COFFER_PROFILE": "work"}, "default"},
	} {
		if names, used := listedProfiles(t, home, test.env, test.line); strings.Join(names, " ") != "default:me work:you" || used != test.used {
			t.Errorf("%s with %v: %q, %s in use", test.line, test.env, names, used)
		}
	}
	if out := works(t, home, nil, "profile use work"); !strings.Contains(out, "you at 127.0.0.1:1") {
		t.Errorf("using a profile says %s", out)
	}
	table := works(t, home, nil, "profile list")
	if _, used := listedProfiles(t, home, nil, "profile list --json"); used != "work" || !strings.Contains(table, "yes") {
		t.Errorf("in use is %s:\n%s", used, table)
	}
	for _, secret := range []string{first.Identity, second.Identity} {
		if strings.Contains(table+works(t, home, nil, "profile list --json"), secret) {
			t.Error("keys are listed")
		}
	}
	works(t, home, nil, "profile use default")
	if _, used := listedProfiles(t, home, nil, "profile list --json"); used != "default" {
		t.Errorf("in use is %s", used)
	}
}

// Each profile has its own memory and cache.
func TestProfilesAreApart(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"", "default", "work"} {
		a := &app{env: func(name string) (string, bool) { return home, name == "COFFER_HOME" }, profile: name}
		want, cache := home, filepath.Join(home, "cache")
		if name == "work" {
			want, cache = filepath.Join(home, "profiles", name), filepath.Join(cache, "profiles", name)
		}
		p := saveNamed(t, home, name, "me")
		m, err := a.memory(p)
		if err != nil || m.path != filepath.Join(want, "seen.json") {
			t.Errorf("profile %q remembers in %s, %v", name, m.path, err)
		}
		if dir, err := a.cacheFolder(); err != nil || dir != cache {
			t.Errorf("profile %q has its cache in %s, %v", name, dir, err)
		}
	}
}

// Names in a profile may come from somebody else, and are printed safely.
func TestNamesOfProfilesOnTerminals(t *testing.T) {
	home := t.TempDir()
	saveNamed(t, home, "default", "me\x1b[2J\u202e")
	env := map[string]string{"COFFER_PASSPHRASE": "glacier pewter mongoose"}
	for _, line := range []string{"profile list", "key export " + filepath.Join(t.TempDir(), "keys.age"), "status"} {
		_, stdout, stderr := coffer(t, home, env, strings.Fields(line)...)
		if out := stdout + stderr; strings.ContainsAny(out, "\x1b\u202e") || out == "" {
			t.Errorf("coffer %s prints %q", line, out)
		}
	}
}

func TestRemoveProfile(t *testing.T) {
	home := t.TempDir()
	kept := testProfile(t, home)
	saveNamed(t, home, "work", "you")
	cache := filepath.Join(home, "cache", "profiles", "work")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	works(t, home, nil, "profile use work")
	if code, _, stderr := coffer(t, home, nil, "profile", "remove", "work"); code != 2 || !strings.Contains(stderr, "key export") || !strings.Contains(stderr, "--yes") {
		t.Errorf("without a question: exit code %d, %s", code, stderr)
	}
	if out := works(t, home, nil, "profile remove work --yes"); !strings.Contains(out, "default profile is in use") {
		t.Errorf("removing the profile in use says %s", out)
	}
	for _, path := range []string{filepath.Join(home, "profiles", "work"), cache} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	a := &app{env: func(string) (string, bool) { return home, true }}
	if p, err := a.loadProfile(); err != nil || p.Identity != kept.Identity {
		t.Errorf("the other profile: %v", err)
	}
	works(t, home, nil, "profile add empty")
	works(t, home, nil, "profile remove empty")
}

func TestProfilesRefuse(t *testing.T) {
	home := t.TempDir()
	testProfile(t, home)
	works(t, home, nil, "profile add work")
	for _, test := range []struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		{[]string{"list", "--profile", "other"}, nil, 1, "the profile other does not exist"},
		{[]string{"profile", "use", "other"}, nil, 1, "there is no profile other"},
		{[]string{"profile", "remove", "other", "--yes"}, nil, 1, "there is no profile other"},
		{[]string{"profile", "remove", "default", "--yes"}, nil, 2, "cannot be removed"},
		{[]string{"profile", "add", "work"}, nil, 1, "already"},
		{[]string{"profile", "add", "default"}, nil, 1, "already"},
		{[]string{"profile", "add", "../x"}, nil, 2, "not a valid profile name"},
		{[]string{"profile", "add", ".."}, nil, 2, "not a valid profile name"},
		{[]string{"profile", "add", "a\x1b[31m"}, nil, 2, "not a valid profile name"},
		{[]string{"list", "--profile", "a/b"}, nil, 2, "not a valid profile name"},
		{[]string{"list"}, map[string]string{"COFFER_PROFILE": "a\x1b]0;b"}, 2, "not a valid profile name"},
	} {
		code, stdout, stderr := coffer(t, home, test.env, test.args...)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "\x1b") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: exit code %d\n%s%s", test.args, code, stdout, stderr)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "profile-in-use"), []byte("../../etc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := coffer(t, home, nil, "pin"); code != 1 || !strings.Contains(stderr, "coffer profile use") {
		t.Errorf("with a damaged choice: exit code %d, %s", code, stderr)
	}
}
