// Package independent has a reader of snapshots that shares no code with the
// project: what docs/snapshots.md says, age and zstd are enough. It has tests
// alone.
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

// A file is opened with the programs age, zstd and jq, where they are installed.
func TestAFileIsOpenedByHand(t *testing.T) {
	for _, program := range []string{"age", "zstd", "jq", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	const script = `set -euo pipefail
hex() { tr '_-' '/+' <<<"$1=" | base64 -d | od -An -v -tx1 | tr -d ' \n'; }
chunk() {
  [ -e "$1" ] || age -d -i "$repository/identity.txt" -o "./$1" "$repository"/packs/"$(hex "$1")"-*
  dd if="./$1" bs=1M skip="$2" count="$3" iflag=skip_bytes,count_bytes status=none | zstd -dq
}
places='.[0].packs as $packs | .[1:][] | select(.name == $name) | .[$of][] | "\($packs[.[0]]) \(.[1]) \(.[2])"'
chunks() { jq -rs --arg name "$1" --arg of "$2" "$places" | while read -r place; do chunk $place; done; }

age -d -i "$repository/identity.txt" "$repository/manifest" > manifest
head -n 1 manifest | jq -c '.root | {packs}, .entry' | chunks example subtree > tree
chunks random.bin content < tree | sha256sum
`
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = t.TempDir()
	where, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "repository="+where)
	out, err := cmd.CombinedOutput()
	for _, want := range readWanted(t) {
		if want.Path == "random.bin" && !strings.HasPrefix(string(out), want.SHA256+" ") {
			t.Errorf("%s, %v", out, err)
		}
	}
}
