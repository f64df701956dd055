package independent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const repository = "../testdata/repository"

// A wanted is one file or link of the example repository.
type wanted struct{ Path, Mode, SHA256, Target string }

func readWanted(t *testing.T) (all []wanted) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
		t.Fatalf("no wanted files: %v", err)
	}
	return all
}

func identity(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestASnapshotIsRestored(t *testing.T) {
	r, err := newReader(identity(t), filepath.Join(repository, "packs"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "example")
	if err := r.restore(filepath.Join(repository, "manifest"), dir); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if !d.IsDir() {
			files++
		}
		return err
	})
	all := readWanted(t)
	if err != nil || files != len(all) {
		t.Errorf("%d files, not %d: %v", files, len(all), err)
	}
	for _, want := range all {
		compare(t, dir, want)
	}
}

func compare(t *testing.T, dir string, want wanted) {
	t.Helper()
	name, err := url.PathUnescape(want.Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if want.Target != "" {
		if target, err := os.Readlink(path); err != nil || target != want.Target {
			t.Errorf("%q leads to %q, %v", want.Path, target, err)
		}
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	if hex.EncodeToString(sum[:]) != want.SHA256 || fmt.Sprintf("%04o", info.Mode()) != want.Mode {
		t.Errorf("%q is %d bytes of mode %o", want.Path, len(content), info.Mode())
	}
}

// buildAge builds the program age, which some systems lack, or have too old for
// the keys of today, and returns its folder.
func buildAge(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	build := exec.Command("go", "build", "-modfile=.ci/packaging.mod", "-o", filepath.Join(folder, "age"), "filippo.io/age/cmd/age")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

// Files are opened with the programs age, zstd and jq, by the functions that
// docs/security.md gives.
func TestFilesAreOpenedByHand(t *testing.T) {
	for _, program := range []string{"zstd", "jq", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			if runtime.GOOS == "linux" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, functions, found := strings.Cut(string(text), "\n# 2. \"chunk PACK OFFSET LENGTH\"")
	functions, _, end := strings.Cut(functions, "\n# 3. ")
	if !found || !end {
		t.Fatal("docs/security.md has no functions for opening a snapshot by hand")
	}
	const steps = `
mkdir -p data/received_files/snapshots/client
ln -s "$repository/packs" data/received_files/snapshots/client/ab
cp "$repository/identity.txt" .
age -d -i identity.txt -o manifest "$repository/manifest"
head -n 1 manifest | jq -c '.root | {packs}, .entry' | places example subtree | pieces > example.tree
places random.bin content < example.tree | data | sha256sum
places lines.txt content < example.tree | pieces | lists | sed -n '1p;$p' | data
places a subtree < example.tree | pieces > a.tree
places b subtree < a.tree | pieces > b.tree
places deep.txt content < b.tree | data | sha256sum
`
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", "# "+functions+steps)
	cmd.Dir = t.TempDir()
	where, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "repository="+where, "PATH="+buildAge(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	sums := make(map[string]string)
	for _, file := range readWanted(t) {
		sums[file.Path] = file.SHA256
	}
	want := sums["random.bin"] + "  -\nline 1\nline 1100\n" + sums["a/b/deep.txt"] + "  -\n"
	if string(out) != want {
		t.Errorf("%s\nwant %s", out, want)
	}
}
