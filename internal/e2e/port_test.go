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

// The port comes from port.info in the working folder; without one it is the
// default, which the log says, and with one that makes no sense there is a
// warning as well.
func TestPortInfo(t *testing.T) {
	addr := stack.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	const missing = "\x00"
	for _, test := range []struct{ name, info, port, says, level string }{
		{"good", port + "\n", port, "", ""},
		{"no newline", port, port, "", ""},
		{"missing", missing, "1256", "no port.info, using the default port", "INFO"},
		{"empty", "", "1256", "invalid port.info, using the default port", "WARN"},
		{"not a number", "twelve\n", "1256", "invalid port.info, using the default port", "WARN"},
		{"too large", "70000\n", "1256", "invalid port.info, using the default port", "WARN"},
		{"two lines", port + "\n" + port + "\n", "1256", "invalid port.info, using the default port", "WARN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if test.info != missing {
				if err := os.WriteFile(filepath.Join(folder, "port.info"), []byte(test.info), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := &core{folder: folder, data: filepath.Join(folder, "data"), process: process{log: newOutput()}}
			c.cmd = exec.Command("coffer-server", "--internal-listen", "off", "--console-listen", "off")
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
			if strings.Contains(log, "level=WARN") != (test.level == "WARN") || test.says != "" && !strings.Contains(log, "level="+test.level+` msg="`+test.says+`" port=1256`) {
				t.Errorf("the log does not say just %q, as %s:\n%s", test.says, test.level, log)
			}
		})
	}
}
