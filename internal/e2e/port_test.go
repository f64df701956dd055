package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/stack"
)

// The port comes from port.info in the working folder; without one, or with one
// that makes no sense, there is a warning and the default.
func TestPortInfo(t *testing.T) {
	addr := stack.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	const missing = "\x00"
	for _, test := range []struct{ name, info, port, warning string }{
		{"good", port + "\n", port, ""},
		{"no newline", port, port, ""},
		{"missing", missing, "1256", "no port.info"},
		{"empty", "", "1256", "port.info is of no use"},
		{"not a number", "twelve\n", "1256", "port.info is of no use"},
		{"too large", "70000\n", "1256", "port.info is of no use"},
		{"two lines", port + "\n" + port + "\n", "1256", "port.info is of no use"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if test.info != missing {
				if err := os.WriteFile(filepath.Join(folder, "port.info"), []byte(test.info), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := &core{folder: folder, data: filepath.Join(folder, "data"), process: process{log: newOutput()}}
			c.cmd = exec.Command("coffer-server", "--internal-listen", "", "--console-listen", "")
			c.cmd.Dir, c.cmd.Stderr = folder, c.log
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			defer c.kill()
			// Somebody else may have the default port: then it ends, saying so.
			if err := c.await(t.Context(), 0, ":"+test.port); err != nil {
				t.Fatal(err)
			}
			log := c.log.since(0)
			if test.warning == "" && strings.Contains(log, "level=WARN") || !strings.Contains(log, test.warning) {
				t.Errorf("the log has not just %q:\n%s", test.warning, log)
			}
		})
	}
}
