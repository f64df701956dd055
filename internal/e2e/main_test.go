// Package e2e tests the programs as they are run: the real binaries, over real
// connections, killed, starved of space, and cut off. It has tests alone.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the programs as the tests themselves were built, with or without
// the race detector, and puts them first in PATH.
func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "coffer-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	args := append([]string{"build", "-o", folder}, buildFlags()...)
	build := exec.Command("go", append(args, "coffer/cmd/coffer-server", "coffer/cmd/coffer-gateway", "coffer/cmd/coffer")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: building the programs:", err)
		return 1
	}
	if err := os.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	// Core and gateway of a test share it, as an operator's would.
	if err := os.Setenv("COFFER_CORE_SECRET", strings.Repeat("5a", 32)); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}
