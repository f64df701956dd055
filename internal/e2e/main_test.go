package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"coffer/internal/stack"
)

func TestMain(m *testing.M) {
	// Core and gateway of a test share it, as an operator's would.
	if err := os.Setenv("COFFER_CORE_SECRET", strings.Repeat("5a", 32)); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(stack.Main(m))
}
