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
)

func TestCommandLine(t *testing.T) {
	notSecret := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(notSecret, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--version"}, exitOK, "coffer-gateway dev"},
		{[]string{"serve", "--help"}, exitOK, "$COFFER_GATEWAY_LISTEN"},
		{[]string{"--nonsense"}, exitUsage, "unknown flag"},
		{[]string{"--tls-cert", "x"}, exitUsage, "go together"},
		{[]string{"--core-ca", "x"}, exitUsage, "needs --core-tls"},
		{[]string{"--max-packet", "1"}, exitUsage, "--max-packet"},
		{[]string{"--core-conns", "0"}, exitUsage, "--core-conns"},
		{[]string{"--jwt-secret-file", notSecret}, exitFail, "not 64 hex digits"},
		{[]string{"health", "--url", "http://127.0.0.1:1"}, exitFail, "refused"},
	}
	for _, test := range tests {
		var out bytes.Buffer
		if code := run(t.Context(), test.args, &out, &out); code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%q: %d %s", test.args, code, &out)
		}
	}
}

func TestServeMakesItsSecret(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "jwt")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if code := run(t.Context(), []string{"--listen", taken.Addr().String(), "--jwt-secret-file", secret}, io.Discard, io.Discard); code != exitFail {
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
	if code := run(ctx, []string{"--listen", taken.Addr().String(), "--jwt-secret-file", secret}, io.Discard, io.Discard); code != exitFail {
		t.Errorf("a second start: %d", code)
	}
	if after, err := os.ReadFile(secret); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the secret must stay: %v", err)
	}
}
