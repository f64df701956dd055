package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The most that systemd may find exposed, from 0 to 10.
const mostExposed = 2.0

var exposure = regexp.MustCompile(`Overall exposure level for [^:]+: ([0-9.]+)`)

// The units are understood, start programs that there are, with commands that
// these know, and leave them little to misuse.
func TestUnits(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	units, err := filepath.Glob(filepath.Join(root, "deploy/systemd/*.service"))
	if err != nil || len(units) != 2 {
		t.Fatalf("the units are %q, %v", units, err)
	}
	folder := t.TempDir()
	run(t, nil, "go", "build", "-o", folder, "./cmd/coffer-server", "./cmd/coffer-gateway")
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		// Where it is installed the program is in /usr/bin.
		copied := filepath.Join(folder, filepath.Base(unit))
		if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(text), "=/usr/bin/", "="+folder+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
		verify := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", copied)
		if out, err := verify.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", verify, err, out)
		}
		for line := range strings.Lines(string(text)) {
			if command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=/usr/bin/"); ok {
				run(t, nil, append([]string{filepath.Join(folder, strings.Fields(command)[0])}, append(strings.Fields(command)[1:], "--help")...)...)
			}
		}
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", unit).CombinedOutput()
		found := exposure.FindSubmatch(out)
		if err != nil || found == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level >= mostExposed {
			t.Errorf("%s is exposed by %s:\n%s", filepath.Base(unit), found[1], out)
		}
	}
}
