package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/program"
	"coffer/server/servertest"
)

// A station is a machine with a home of its own, on which coffer is run.
type station struct {
	t    *testing.T
	home string
}

func newStation(t *testing.T) station { return station{t, filepath.Join(t.TempDir(), "home")} }

// ok runs coffer, which must succeed, and returns what it prints.
func (s station) ok(args ...string) string {
	s.t.Helper()
	code, stdout, stderr := coffer(s.t, s.home, nil, args...)
	if code != 0 {
		s.t.Fatalf("coffer %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// fails runs coffer, which must fail with an error that says want.
func (s station) fails(want string, args ...string) {
	s.t.Helper()
	code, stdout, stderr := coffer(s.t, s.home, nil, args...)
	if code == 0 || !strings.Contains(stderr, want) {
		s.t.Errorf("coffer %s: exit code %d, want an error that says %q\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
}

// taken backs up, and returns what was made.
func (s station) backUp(args ...string) (made taken) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.ok(append([]string{"backup", "--json"}, args...)...)), &made); err != nil {
		s.t.Fatal(err)
	}
	return made
}

// joined adds a machine to the owner's account, and is that machine.
func (s station) joined(name string) station {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), name+".profile")
	s.ok("machine", "add", name, "--out", file, "--rsa-bits", "1024")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		s.t.Errorf("the profile: %v, error %v", info.Mode(), err)
	}
	content, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(content), "AGE-SECRET-KEY") {
		s.t.Errorf("the profile has an identity, or cannot be read: %v", err)
	}
	owner := s.profile()
	if strings.Contains(string(content), owner.ClientID) {
		s.t.Error("the profile has the account's id")
	}
	m := newStation(s.t)
	m.ok("machine", "join", file)
	return m
}

func (s station) profile() *profile {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.home, "profile.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := parseProfile(content)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// wireName is what the server knows a machine's label as.
func (s station) wireName(label string) string {
	s.t.Helper()
	keys, _, err := s.profile().machineKeys()
	if err != nil {
		s.t.Fatal(err)
	}
	return keys.WireName(label)
}

// write makes a folder called home with files of these contents.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newOwner(t *testing.T) station {
	t.Helper()
	owner := newStation(t)
	public, _ := servertest.Start(t, nil)
	owner.ok("register", "--server", public, "--name", "ada", "--insecure", "--rsa-bits", "1024")
	return owner
}

// A machine backs up what changed, by its cache; its owner, and only its owner,
// restores it. Labels of the owner and of two machines stand side by side.
func TestMachines(t *testing.T) {
	owner := newOwner(t)
	web, db := owner.joined("web1"), owner.joined("db1")
	same := strings.Repeat("the same everywhere ", 1000)
	owners := write(t, map[string]string{"of": "the owner", "same": same})
	webs := write(t, map[string]string{"of": "web", "sub/same": same})

	if made := owner.backUp(owners); made.Name != "home" || made.Version != 1 || made.Added == 0 {
		t.Errorf("the owner's: %+v", made)
	}
	first := web.backUp(webs)
	if first.Version != 1 || first.Added < uint64(len(same)) {
		t.Errorf("the machine's: %+v", first)
	}
	if made := db.backUp(write(t, map[string]string{"same": same})); made.Version != 1 || made.Added < uint64(len(same)) {
		t.Errorf("the other machine's: %+v", made)
	}
	if again := web.backUp(webs); again.Version != 2 || again.Added != 0 || again.Unchanged != 2 {
		t.Errorf("unchanged: %+v", again)
	}
	if err := os.RemoveAll(filepath.Join(web.home, "cache")); err != nil {
		t.Fatal(err)
	}
	if lost := web.backUp(webs); lost.Version != 3 || lost.Added != first.Added {
		t.Errorf("without a cache: %+v", lost)
	}

	list := owner.ok("list")
	for _, want := range []string{"home@web1", "home@db1", "from web1", "from db1"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	if n := strings.Count(owner.ok("list", "home@web1"), "home@web1"); n != 3 {
		t.Errorf("%d versions are listed", n)
	}
	if n := strings.Count(owner.ok("list", "home"), "from "); n != 0 {
		t.Error("the owner's backup is mixed with a machine's")
	}
	if ls := owner.ok("ls", "home@web1@1:sub"); ls != "same\n" {
		t.Errorf("in the machine's backup: %q", ls)
	}
	if cat := owner.ok("cat", "home@web1:of") + owner.ok("cat", "home:of"); cat != "webthe owner" {
		t.Errorf("two files: %q", cat)
	}
	back := filepath.Join(t.TempDir(), "back")
	owner.ok("restore", "home@web1", "-o", back)
	if content, err := os.ReadFile(filepath.Join(back, "sub", "same")); err != nil || string(content) != same {
		t.Errorf("restored %d bytes, error %v", len(content), err)
	}
	if verified := owner.ok("verify", "--all"); strings.Count(verified, ": verified") != 5 {
		t.Errorf("verified: %s", verified)
	}
	// What is not the newest that somebody has seen is reported, on both sides.
	owner.ok("remove", "home@web1@3", "--yes")
	if _, _, stderr := coffer(t, web.home, nil, "backup", webs); !strings.Contains(stderr, "this machine has seen version 3") {
		t.Errorf("a version that went: %q", stderr)
	}
	owner.ok("restore", "home@web1", "-o", filepath.Join(t.TempDir(), "again"))
	seen, err := os.ReadFile(filepath.Join(owner.home, "seen.json"))
	if wireName := web.wireName("home"); err != nil || !strings.Contains(string(seen), wireName) {
		t.Errorf("the owner's record lacks %s, error %v", wireName, err)
	}
	owner.ok("remove", "home@db1", "--yes")
	owner.fails("no backup", "ls", "home@db1")
	if cat := owner.ok("cat", "home:of"); cat != "the owner" {
		t.Errorf("the owner's: %q", cat)
	}
	owner.fails("@ or :", "backup", owners, "--name", "home@web1")
}

// The owner sees machines, and takes their rights away; what they sent stays.
func TestMachineList(t *testing.T) {
	owner := newOwner(t)
	if list := owner.ok("machine", "list", "--json"); strings.TrimSpace(list) != "[]" {
		t.Errorf("no machines: %s", list)
	}
	web := owner.joined("web1")
	folder := write(t, map[string]string{"f": "content"})
	web.backUp(folder)
	var machines []machineJSON
	if err := json.Unmarshal([]byte(owner.ok("machine", "list", "--json")), &machines); err != nil {
		t.Fatal(err)
	}
	if len(machines) != 1 || machines[0].Name != "web1" || machines[0].Backups != 1 || machines[0].Used == nil || machines[0].Removed != nil {
		t.Errorf("machines: %+v", machines)
	}
	file := filepath.Join(t.TempDir(), "x")
	owner.fails("name: the account has a machine", "machine", "add", "web1", "--out", file, "--rsa-bits", "1024")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a profile that no machine has: %v", err)
	}
	owner.fails("begins with a letter", "machine", "add", "2026-11-28", "--out", file)
	owner.fails("no machine", "machine", "remove", "db1", "--yes")
	owner.fails("--yes", "machine", "remove", "web1")

	owner.ok("machine", "remove", "web1", "--yes")
	web.fails("no such machine, or its owner removed it", "backup", folder)
	if list := owner.ok("machine", "list"); !strings.Contains(list, "removed") {
		t.Errorf("a removed machine: %s", list)
	}
	if cat := owner.ok("cat", "home@web1:f"); cat != "content" {
		t.Errorf("what it sent: %q", cat)
	}
	owner.fails("not a Coffer profile", "machine", "join", filepath.Join(owner.home, "profile.json"), "--force")
}

// A program that a machine sent gives nobody its owner's rights, unless the
// machine is trusted.
func TestMachineGivesNoRights(t *testing.T) {
	owner := newOwner(t)
	web := owner.joined("web1")
	folder := write(t, map[string]string{"tool": "content"})
	if err := os.Chmod(filepath.Join(folder, "tool"), 0o700|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	web.backUp(folder)
	for _, test := range []struct {
		flags string
		code  int
		says  string
		mode  os.FileMode
	}{
		{"", program.ExitIncomplete, "--trust restores them", 0o700},
		{"--trust", program.ExitOK, "", 0o700 | os.ModeSetuid},
	} {
		out := filepath.Join(t.TempDir(), "out")
		code, _, stderr := coffer(t, owner.home, nil, append([]string{"restore", "home@web1", "-o", out}, strings.Fields(test.flags)...)...)
		if code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("restore %s: exit code %d\n%s", test.flags, code, stderr)
		}
		if info, err := os.Stat(filepath.Join(out, "tool")); err != nil || info.Mode() != test.mode {
			t.Errorf("restore %s: %v, error %v", test.flags, info, err)
		}
	}
}

// All that a send-only profile is for is coffer backup.
func TestSendOnlyProfile(t *testing.T) {
	web := newOwner(t).joined("web1")
	folder := write(t, map[string]string{"f": "content"})
	web.backUp(folder)
	out := filepath.Join(t.TempDir(), "out")
	for _, line := range []string{
		"list", "ls", "ls home", "find f", "diff home@1 home", "cat home:f", "mount " + t.TempDir(), "restore home -o " + out, "verify home", "verify --all", "stats",
		"uploads", "uploads discard --all", "remove home --yes", "status", "account base", "account api-id", "key export " + out,
		"passphrase --gateway http://127.0.0.1:1", "machine list", "machine add x --out " + out, "machine remove web1 --yes",
	} {
		web.fails("this profile can only send backups, as the machine web1 of ada", strings.Fields(line)...)
	}
	web.fails("leave out --archive", "backup", folder, "--archive")
	web.fails("leave out --archive", "backup", folder, "--no-seal")
	web.fails("already has a registration", "register", "--server", "127.0.0.1:1", "--name", "x")
	if pin := web.ok("pin"); !strings.Contains(pin, "without TLS") {
		t.Errorf("pin: %s", pin)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// What a machine sent does not save its owner from sending the same content,
// not even where the owner's cache is lost: chunks are never shared.
func TestMachineSharesNothing(t *testing.T) {
	owner := newOwner(t)
	web := owner.joined("web1")
	files := map[string]string{"f": strings.Repeat("what both have ", 1000)}
	sent := web.backUp(write(t, files))
	mine := write(t, files)
	made := owner.backUp(mine)
	if made.Added < uint64(len(files["f"])) || sent.Added != made.Added {
		t.Errorf("the owner added %d bytes, the machine %d", made.Added, sent.Added)
	}
	if err := os.RemoveAll(filepath.Join(owner.home, "cache")); err != nil {
		t.Fatal(err)
	}
	owner.ok("remove", "home", "--yes")
	if made := owner.backUp(mine, "--adopt"); made.Added < uint64(len(files["f"])) {
		t.Errorf("the owner added %d bytes, and left the rest to the machine", made.Added)
	}
	owner.ok("remove", "home@web1", "--yes")
	if cat := owner.ok("cat", "home:f"); cat != files["f"] {
		t.Errorf("%d bytes came back", len(cat))
	}
}
