package attack

import (
	"os"
	"testing"

	"coffer/internal/stack"
)

func TestMain(m *testing.M) { os.Exit(stack.Main(m)) }
