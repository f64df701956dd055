// Package deploy checks how the programs are given to people and run by them:
// releases, Debian packages, systemd units, Kubernetes manifests. It has tests
// alone. What stands in front of the programs, nginx and HAProxy, is tested with
// them, in internal/e2e.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// tool is a program that the tests need and .ci/tools installs. Without it a
// test is skipped, except in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
		return path
	}
	missing(t, name+" is missing: .ci/tools installs it")
	return ""
}

// missing skips a test for want of something that CI must have.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// run runs a command, in the project's folder, that must succeed, and returns
// what it printed.
func run(t *testing.T, env []string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}
