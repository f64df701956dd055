// Package stack runs the real programs for tests: it builds them, starts them
// on free loopback ports with folders of their own, waits until they serve,
// kills and restarts them, and plays the person who types commands. It knows
// the programs by their flags and logs alone.
package stack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen.
const Patience = 60 * time.Second

// secret is what core and gateway share in tests, as COFFER_CORE_SECRET takes
// it: 64 hexadecimal digits.
const secret = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"

// Main builds the programs as the tests themselves were built, puts them first
// in PATH, and runs the tests. It returns the exit code for TestMain. If the
// environment names a folder of programs as COFFER_PROGRAMS, those are used:
// to hold an earlier build against today's tests.
func Main(m *testing.M) int {
	if folder := os.Getenv("COFFER_PROGRAMS"); folder != "" {
		return runWith(m, folder)
	}
	folder, err := os.MkdirTemp("", "coffer-stack-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	args := append([]string{"build", "-o", folder}, buildFlags()...)
	build := exec.Command("go", append(args, "coffer/cmd/coffer-server", "coffer/cmd/coffer-gateway", "coffer/cmd/coffer")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "stack: build the programs:", err)
		return 1
	}
	return runWith(m, folder)
}

// buildFlags are those of the programs under test: with the race detector as
// COFFER_RACE has it, which make test sets to what it builds the tests with.
func buildFlags() []string {
	if !Racing {
		return nil
	}
	if flags := strings.Fields(os.Getenv("COFFER_RACE")); len(flags) > 0 {
		return flags
	}
	return []string{"-race"}
}

// runWith runs the tests with the programs in folder.
func runWith(m *testing.M, folder string) int {
	if err := os.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		return 1
	}
	return m.Run()
}

// FreeAddr returns a loopback address for a program that the test starts. It is
// the test's until it ends.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addr, release, err := ReserveAddr()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return addr
}

// ReserveAddr returns a loopback address that nobody listens on and that no
// other caller gets until release, in whatever process: a listener on a second
// port holds it, however late the program starts and however often it is
// started again. Both ports are outside of the range that outgoing connections
// get theirs from.
func ReserveAddr() (addr string, release func(), err error) {
	const first, count = 20000, 10000 // held by the ports count below
	for range 1000 {
		port := first + rand.N(count)
		hold, err := net.Listen("tcp", loopback(port-count))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			hold.Close()
			continue
		}
		if err := l.Close(); err != nil {
			hold.Close()
			return "", nil, err
		}
		return loopback(port), func() { hold.Close() }, nil
	}
	return "", nil, errors.New("no free port")
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
