package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"coffer/server/servertest"
)

func TestServerAddress(t *testing.T) {
	for text, want := range map[string]string{
		"localhost": "localhost:1256", "backup.example.org:99": "backup.example.org:99", "192.0.2.7": "192.0.2.7:1256", "host:": "host:1256",
		"::1": "[::1]:1256", "[::1]": "[::1]:1256", "[2001:db8::1]:7": "[2001:db8::1]:7",
	} {
		if got, err := serverAddress(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"http://backup.example.org": "--server backup.example.org:1256", "https://backup.example.org:5000/": "--server backup.example.org:1256",
		"http://[::1]:8090/x": "--server [::1]:1256", "host:port": "not HOST:PORT", "host:0": "not HOST:PORT", "host:70000": "not HOST:PORT", "": "not HOST:PORT", "a:b:c": "not HOST:PORT",
		"host/path": "not HOST:PORT",
	} {
		if got, err := serverAddress(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// Whatever answers at the address, a person reads what it is and what to type,
// with and without TLS, and never what the library said.
func TestWhatAnswers(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	plain, secure := httptest.NewServer(page), httptest.NewTLSServer(page)
	defer plain.Close()
	defer secure.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // SSH speaks first
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			nc.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			nc.Close()
		}
	}()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	public, internal := servertest.Start(t, nil)
	for name, test := range map[string]struct{ addr, says string }{
		"a web server":     {plain.Listener.Addr().String(), "is a web server"},
		"HTTPS":            {secure.Listener.Addr().String(), "is a web server"},
		"for gateways":     {internal, "listens to gateways, not to clients: try --server 127.0.0.1:1256|does not use TLS: remove --tls"},
		"something else":   {l.Addr().String(), "is not a Coffer server"},
		"nobody":           {gone.Addr().String(), "connection refused"},
		"no host":          {"no.such.host.invalid", "no such host|could not be resolved"},
		"a web address":    {"http://localhost:5000", "--server localhost:1256"},
		"no port there is": {"localhost:99999", "not HOST:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, how := range [][]string{nil, {"--insecure"}, {"--tls"}} {
				code, stdout, stderr := coffer(t, t.TempDir(), nil, append([]string{"register", "--server", test.addr, "--name", "ada", "--rsa-bits", "1024"}, how...)...)
				said := false
				for says := range strings.SplitSeq(test.says, "|") {
					said = said || strings.Contains(stderr, says)
				}
				if code == 0 || !said || stdout != "" {
					t.Errorf("%v: exit code %d\n%s%s", how, code, stdout, stderr)
				}
				for _, raw := range []string{"dial tcp", "tls:", "x509:", "EOF", "missing port", "malformed", "i/o timeout", "i/o", "lookup "} {
					if strings.Contains(stderr, raw) {
						t.Errorf("%v: a person reads %q in %s", how, raw, stderr)
					}
				}
			}
		})
	}
	code, _, stderr := coffer(t, t.TempDir(), nil, "register", "--server", public, "--name", "ada", "--rsa-bits", "1024", "--tls")
	if code == 0 || !strings.Contains(stderr, "does not use TLS: remove --tls") {
		t.Errorf("a core without TLS: exit code %d\n%s", code, stderr)
	}
}
