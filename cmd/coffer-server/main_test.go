package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/program"
)

// What COFFER_VERSION says is the operator's: the images' version.
func TestNoVariableChangesACommand(t *testing.T) {
	for _, name := range []string{"VERSION", "HELP", "RATE", "COLLECT", "JSON", "QUIET", "ONCE", "TLS", "TIMEOUT", "LAST", "DRY_RUN", "FROM", "TO", "CLIENT"} {
		for _, prefix := range []string{"COFFER_", "COFFER_SERVER_", "COFFER_CONSOLE_"} {
			t.Setenv(prefix+name, "1")
		}
	}
	t.Setenv("COFFER_CORE_SECRET", strings.Repeat("01", 32))
	folder := t.TempDir()
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"health --internal-listen 127.0.0.1:1", program.ExitFail, "refused"},
		{"--data " + folder + " --listen 256.0.0.1:1 --internal-listen=off --console-listen=off", program.ExitFail, "listening for clients"},
		{"scrub --data " + folder, program.ExitOK, "read back 0 file versions"},
		{"import --data " + folder, program.ExitUsage, "--from"},
		{"export --data " + folder, program.ExitUsage, "--client"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(test.args), program.Streams{Out: &out, Err: &out}); code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: exit code %d\n%s", test.args, code, &out)
		}
	}
}

func TestEmptyAndEarlierVariables(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"MAX_CONNECTIONS", "MIN_FREE", "SESSION_TTL", "REGISTRATION", "PROXY_PROTOCOL", "INTERNAL_LISTEN", "DATA"} {
		t.Setenv("COFFER_SERVER_"+name, "")
	}
	t.Setenv("COFFER_DATA", folder)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"scrub"}, program.Streams{Out: &out, Err: &out}); code != program.ExitOK ||
		!strings.Contains(out.String(), "COFFER_DATA is now called COFFER_SERVER_DATA") {
		t.Errorf("exit code %d\n%s", code, &out)
	}
	if _, err := os.Stat(filepath.Join(folder, catalogName)); err != nil {
		t.Error(err)
	}
	t.Setenv("COFFER_SERVER_LISTEN", "256.0.0.1:1")
	out.Reset()
	if code := run(t.Context(), []string{"serve"}, program.Streams{Out: &out, Err: &out}); code != program.ExitFail || !strings.Contains(out.String(), "listening for clients") {
		t.Errorf("exit code %d\n%s", code, &out)
	}
}

func TestCommandLine(t *testing.T) {
	folder := t.TempDir()
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"--version", program.ExitOK, "coffer-server dev"},
		{"serve --help", program.ExitOK, "$COFFER_SERVER_LISTEN"},
		{"--nonsense", program.ExitUsage, "unknown flag"},
		{"--tls-key x", program.ExitUsage, "used together"},
		{"--max-packet 1", program.ExitUsage, "--max-packet"},
		{"--min-rate 0", program.ExitUsage, "--min-rate"},
		{"--keep-versions -1", program.ExitUsage, "--keep-versions"},
		{"--proxy-protocol 10.0.0.0/8,balancer", program.ExitUsage, "--proxy-protocol"},
		{"--max-connections 0", program.ExitUsage, "--max-connections"},
		{"--session-ttl 0s", program.ExitUsage, "--session-ttl: at least a second"},
		{"--legacy-charset klingon", program.ExitUsage, "--legacy-charset"},
		{"--data " + folder + " --tls-cert x --tls-key y", program.ExitFail, "reading the certificate"},
		{"--data " + folder + " --listen 256.0.0.1:1 --internal-listen=", program.ExitFail, "listening for clients"},
		{"--data " + folder + " --listen 127.0.0.1:0 --internal-listen 256.0.0.1:1", program.ExitFail, "listening for the gateway"},
		{"rebuild --data " + folder, program.ExitFail, "move it away first"},
		{"import --data " + folder, program.ExitUsage, "--from"},
		{"import --from " + folder + " --data " + folder, program.ExitUsage, "must not be the data folder"},
		{"import --from " + folder + " --legacy-charset klingon", program.ExitUsage, "--legacy-charset"},
		{"import --dry-run --from " + folder + " --data " + folder + "/none", program.ExitFail, "earlier server's folder"},
		{"export --client me", program.ExitUsage, "--to"},
		{"export --client me --data " + folder + " --to " + folder, program.ExitUsage, "must not be the data folder"},
		{"export --client me --data " + folder + " --to " + folder + "/to", program.ExitFail, "no such client"},
		{"health --data " + folder + "/none", program.ExitFail, "reading the core secret"},
		{"health --internal-listen=", program.ExitUsage, "the internal listener is disabled"},
		{"health --internal-listen 127.0.0.1:1 --data " + folder, program.ExitFail, "refused"},
		{"health --internal-listen unix:" + folder + "/none.sock --data " + folder, program.ExitFail, "none.sock"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(test.args), program.Streams{Out: &out, Err: &out}); code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: exit code %d\n%s", test.args, code, &out)
		}
	}
}
