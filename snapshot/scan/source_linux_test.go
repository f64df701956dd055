package scan_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/snapshot/scan"
)

// A pipe that is named alone is refused: it would be kept without what it gives.
func TestSpecialFileAlone(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	sources, err := scan.NewSources(pipe)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := sources.File(); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Errorf("%v", err)
	}
}
