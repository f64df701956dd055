package main

import (
	"bytes"
	"strings"
	"testing"

	"coffer/internal/program"
)

func TestCommandLine(t *testing.T) {
	folder := t.TempDir()
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"--version", program.ExitOK, "coffer-server dev"},
		{"serve --help", program.ExitOK, "$COFFER_LISTEN"},
		{"--nonsense", program.ExitUsage, "unknown flag"},
		{"--tls-key x", program.ExitUsage, "go together"},
		{"--max-packet 1", program.ExitUsage, "--max-packet"},
		{"--min-rate 0", program.ExitUsage, "--min-rate"},
		{"--keep-versions -1", program.ExitUsage, "--keep-versions"},
		{"--proxy-protocol 10.0.0.0/8,balancer", program.ExitUsage, "--proxy-protocol"},
		{"--max-connections 0", program.ExitUsage, "--max-connections"},
		{"--session-ttl 0s", program.ExitUsage, "positive"},
		{"--legacy-charset klingon", program.ExitUsage, "--legacy-charset"},
		{"--data " + folder + " --tls-cert x --tls-key y", program.ExitFail, "reading the certificate"},
		{"--data " + folder + " --listen 256.0.0.1:1 --internal-listen=", program.ExitFail, "listening for clients"},
		{"--data " + folder + " --listen 127.0.0.1:0 --internal-listen 256.0.0.1:1", program.ExitFail, "listening for the gateway"},
		{"rebuild --data " + folder, program.ExitFail, "there is a catalog"},
		{"import --data " + folder, program.ExitUsage, "--from"},
		{"import --from " + folder + " --data " + folder, program.ExitUsage, "data folder itself"},
		{"import --from " + folder + " --legacy-charset klingon", program.ExitUsage, "--legacy-charset"},
		{"import --dry-run --from " + folder + " --data " + folder + "/none", program.ExitFail, "earlier server's folder"},
		{"export --client me", program.ExitUsage, "--to"},
		{"export --client me --data " + folder + " --to " + folder, program.ExitUsage, "data folder itself"},
		{"export --client me --data " + folder + " --to " + folder + "/to", program.ExitFail, "no such client"},
		{"health --internal-listen 127.0.0.1:1", program.ExitFail, "refused"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(test.args), program.Streams{Out: &out, Err: &out}); code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: exit code %d\n%s", test.args, code, &out)
		}
	}
}
