package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/program"
)

func TestCommandLine(t *testing.T) {
	notSecret, jwt := filepath.Join(t.TempDir(), "short"), filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(notSecret, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--version"}, program.ExitOK, "coffer-gateway dev"},
		{[]string{"serve", "--help"}, program.ExitOK, "$COFFER_GATEWAY_LISTEN"},
		{[]string{"--nonsense"}, program.ExitUsage, "unknown flag"},
		{[]string{"--tls-cert", "x"}, program.ExitUsage, "used together"},
		{[]string{"--core-ca", "x"}, program.ExitUsage, "needs --core-tls"},
		{[]string{"--max-packet", "1"}, program.ExitUsage, "--max-packet"},
		{[]string{"--token-ttl", "1000h"}, program.ExitUsage, "--token-ttl"},
		{[]string{"--core-conns", "0"}, program.ExitUsage, "--core-conns"},
		{[]string{"--jwt-secret-file", notSecret}, program.ExitFail, "not 64 hex digits"},
		{[]string{"--jwt-secret-file", jwt, "--core-secret-file", notSecret}, program.ExitFail, "the core secret in " + notSecret + " is not 64 hex digits"},
		{[]string{"--jwt-secret-file", jwt, "--core-secret-file", notSecret + ".none"}, program.ExitFail, "the core creates it"},
		{[]string{"health", "--url", "http://127.0.0.1:1"}, program.ExitFail, "refused"},
	}
	for _, test := range tests {
		var out bytes.Buffer
		if code := run(t.Context(), test.args, program.Streams{Out: &out, Err: &out}); code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%q: %d %s", test.args, code, &out)
		}
	}
}

func TestNoVariableChangesACommand(t *testing.T) {
	for _, name := range []string{"VERSION", "HELP", "URL", "INSECURE", "TIMEOUT", "JSON"} {
		t.Setenv("COFFER_"+name, "1")
		t.Setenv("COFFER_GATEWAY_"+name, "1")
	}
	t.Setenv("COFFER_CORE_SECRET", strings.Repeat("02", 32))
	t.Setenv("COFFER_LISTEN", "256.0.0.1:2") // the core's
	t.Setenv("COFFER_GATEWAY_RATE", "")
	t.Setenv("COFFER_GATEWAY_LISTEN", "256.0.0.1:1")
	t.Setenv("COFFER_JWT_SECRET", strings.Repeat("01", 32)) // its earlier name
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"health", program.ExitFail, "256.0.0.1"},
		{"serve", program.ExitFail, "lookup 256.0.0.1"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(test.args), program.Streams{Out: &out, Err: &out}); code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: exit code %d\n%s", test.args, code, &out)
		}
	}
}

func TestServeMakesItsSecret(t *testing.T) {
	t.Setenv("COFFER_CORE_SECRET", strings.Repeat("02", 32))
	secret := filepath.Join(t.TempDir(), "jwt")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if code := run(t.Context(), []string{"--listen", taken.Addr().String(), "--jwt-secret-file", secret}, program.Streams{Out: io.Discard, Err: io.Discard}); code != program.ExitFail {
		t.Errorf("an address in use: %d", code)
	}
	info, err := os.Stat(secret)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	before, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{"--listen", taken.Addr().String(), "--jwt-secret-file", secret}, program.Streams{Out: io.Discard, Err: io.Discard}); code != program.ExitFail {
		t.Errorf("a second start: %d", code)
	}
	if after, err := os.ReadFile(secret); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the secret must stay: %v", err)
	}
}
