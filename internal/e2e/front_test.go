package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// A front is a proxy in front of gateway or core, run with the configuration in
// deploy/, but for addresses and certificates.
type front struct {
	process
	url  string
	http *http.Client // trusts its certificate
}

// configured is a configuration of deploy/ with parts of it replaced, each of
// which must be there.
func configured(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("deploy/%s lacks %q", name, replace[i])
		}
		text = []byte(strings.ReplaceAll(string(text), replace[i], replace[i+1]))
	}
	return string(text)
}

// start runs a proxy that may write no file of more than 64 KiB, and thus keep
// no body on disk, until it answers.
func (f *front) start(t *testing.T, addr, folder string, command ...string) {
	t.Helper()
	f.log = newOutput()
	f.cmd = exec.Command("sh", append([]string{"-c", `ulimit -f 128; exec "$@"`, "sh"}, command...)...) // of 512 bytes
	f.cmd.Dir, f.cmd.Stdout, f.cmd.Stderr = folder, f.log, f.log
	f.cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.kill()
		if t.Failed() {
			t.Logf("the proxy's log ends with:\n%s", f.log.tail())
		}
	})
	f.url = "https://" + addr
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-f.done:
			t.Fatalf("the proxy ended: %v\n%s", f.err, f.log.tail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy does not listen: %v", err)
		}
	}
}

// trust makes a client that trusts a certificate.
func trust(t *testing.T, cert []byte) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cert) {
		t.Fatal("there is no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newNginx starts nginx in front of a gateway; alter changes its configuration
// further.
func newNginx(t *testing.T, gateway string, alter ...string) *front {
	t.Helper()
	path, folder, addr := tool(t, "nginx"), t.TempDir(), stack.FreeAddr(t)
	cert, key, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	conf := configured(t, "nginx/coffer.conf", append([]string{
		"server 127.0.0.1:5000;", "server " + gateway + ";",
		"listen 80;", "listen " + stack.FreeAddr(t) + ";", "listen [::]:80;", "",
		"listen 443 ssl http2;", "listen " + addr + " ssl http2;", "listen [::]:443 ssl http2;", "",
		"/etc/nginx/coffer.pem", write(t, folder, "cert.pem", string(cert)),
		"/etc/nginx/coffer.key", write(t, folder, "key.pem", string(key)),
	}, alter...)...)
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, folder, kind)
	}
	main := write(t, folder, "nginx.conf", "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+temporary+conf+"}\n")
	f := &front{http: trust(t, cert)}
	f.start(t, addr, folder, path, "-p", folder, "-e", "stderr", "-c", main)
	return f
}

// newHAProxy starts HAProxy in front of gateways and of a core.
func newHAProxy(t *testing.T, gateways [2]string, clients, core string) *front {
	t.Helper()
	path, folder, addr := tool(t, "haproxy"), t.TempDir(), stack.FreeAddr(t)
	cert, key, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	conf := write(t, folder, "haproxy.cfg", configured(t, "haproxy/haproxy.cfg",
		"maxconn 20000", "maxconn 1000",
		"bind :80\n", "bind "+stack.FreeAddr(t)+"\n", "bind :443 ", "bind "+addr+" ",
		"/etc/haproxy/coffer.pem", write(t, folder, "coffer.pem", string(cert)+string(key)),
		"192.0.2.21:5000", gateways[0], "192.0.2.22:5000", gateways[1],
		"bind :1256\n", "bind "+clients+"\n", "192.0.2.31:1256", core))
	f := &front{http: trust(t, cert)}
	f.start(t, addr, folder, path, "-db", "-f", conf)
	return f
}

// newCaddy starts Caddy in front of a gateway, with a certificate of its own.
func newCaddy(t *testing.T, gateway string) *front {
	t.Helper()
	path, folder, addr := tool(t, "caddy"), t.TempDir(), stack.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := net.SplitHostPort(stack.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	global := fmt.Sprintf("{\nadmin off\nskip_install_trust\nhttp_port %s\nhttps_port %s\n}\n", other, port)
	conf := write(t, folder, "Caddyfile", global+configured(t, "caddy/Caddyfile", "gateway:5000", gateway))
	f := new(front)
	f.start(t, addr, folder, path, "run", "--adapter", "caddyfile", "--config", conf)
	f.url = "https://localhost:" + port
	f.expect(t, 0, "certificate obtained successfully")
	root, err := os.ReadFile(filepath.Join(folder, "caddy/pki/authorities/local/root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	f.http = trust(t, root)
	for deadline := time.Now().Add(patience); ; { // it is not in use as soon as it is there
		answer, err := f.http.Get(f.url + "/readyz")
		if err == nil {
			answer.Body.Close()
			return f
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A body is so many bytes of ciphertext, made as they are read.
type body struct {
	io.Reader
	sum  *cksum.Digest
	size uint64 // of the plaintext
}

func newBody(key crypt.SessionKey, size uint64) *body {
	var seed [32]byte
	b := &body{sum: cksum.New(), size: size}
	plain := io.TeeReader(io.LimitReader(rand.NewChaCha8(seed), int64(size)), b.sum)
	b.Reader = crypt.NewEncryptReader(plain, key)
	return b
}

// bodySize is how much is sent through each proxy: COFFER_BODY bytes, or enough
// to be found out if it were kept.
func bodySize(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("COFFER_BODY")
	if text == "" {
		return 48 << 20
	}
	size, err := strconv.ParseUint(text, 10, 33)
	if err != nil || size < 1<<20 {
		t.Fatalf("COFFER_BODY=%q is no size", text)
	}
	return size
}

// large uploads a file in two large packets, and reads it back.
func (s *script) large(name string, size uint64) error {
	private := s.register(name)
	var begun struct {
		ID      string `json:"upload_id"`
		Wrapped []byte `json:"aes_key_encrypted"`
	}
	s.get(201, "POST", "/api/v1/uploads", map[string]string{"filename": name}, &begun)
	key, err := crypt.Unwrap(private, crypt.SHA256, begun.Wrapped)
	if err != nil {
		return err
	}
	content := newBody(key, size)
	total := crypt.CiphertextLen(size)
	for i, part := range []uint64{total / 2, total - total/2} {
		path := fmt.Sprintf("/api/v1/uploads/%s/packets/%d?last=%t", begun.ID, i+1, i == 1)
		r := s.request("PUT", path, io.LimitReader(content, int64(part)))
		r.ContentLength = int64(part)
		r.Header.Set("Content-Type", "application/octet-stream")
		answer, out, err := s.send(r)
		if err != nil {
			return fmt.Errorf("packet %d: %w", i+1, err)
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("packet %d: status %d: %s", i+1, answer.StatusCode, out)
		}
	}
	var verdict struct {
		Verified bool `json:"verified"`
	}
	s.get(200, "POST", "/api/v1/uploads/"+begun.ID+"/verify", map[string]string{"client_crc": fmt.Sprint(content.sum.Sum32())}, &verdict)
	if !verdict.Verified {
		return errors.New("not verified")
	}

	answer, err := s.http.Do(s.request("GET", "/api/v1/files/"+name+"/content", nil))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	back := cksum.New()
	n, err := io.Copy(back, crypt.NewDecryptReader(answer.Body, key))
	if err != nil || uint64(n) != size || back.Sum32() != content.sum.Sum32() {
		return fmt.Errorf("%d of %d bytes came back, %w", n, size, err)
	}
	return nil
}

// Bodies go through each proxy as deploy/ has it, in both directions, without
// touching its disk; and what a caller says about its own address is not
// believed.
func TestLargeBodiesThroughProxies(t *testing.T) {
	t.Parallel()
	internal := stack.FreeAddr(t)
	newCore(t, "--internal-listen", internal)
	newGateway := func(t *testing.T) (addr string) {
		addr = stack.FreeAddr(t)
		newGatewayAt(t, addr, internal, "--max-packet", "3GiB", "--trusted-proxies", "127.0.0.0/8", "--auth-rate", "0.1", "--auth-burst", "4")
		return addr
	}
	size := bodySize(t)
	for name, start := range map[string]func(t *testing.T, gateway string) *front{
		"nginx": func(t *testing.T, addr string) *front { return newNginx(t, addr) },
		"haproxy": func(t *testing.T, addr string) *front {
			return newHAProxy(t, [2]string{addr, addr}, stack.FreeAddr(t), stack.FreeAddr(t))
		},
		"caddy": newCaddy,
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, newGateway(t))
			s := &script{t: t, base: f.url, http: f.http}
			if err := s.large(name, size); err != nil {
				t.Error(err)
			}
			// Who tries passwords cannot be somebody else each time.
			limited := false
			for i := range 10 {
				r := s.request("POST", "/api/v1/auth/login", strings.NewReader(fmt.Sprintf(`{"username": "nobody %d"}`, i)))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
				answer, _, err := s.send(r)
				if err != nil {
					t.Fatal(err)
				}
				limited = limited || answer.StatusCode == http.StatusTooManyRequests
			}
			if !limited {
				t.Error("a made-up X-Forwarded-For gets around the limit of sign-ins")
			}
		})
	}
	// The tests would see it if a proxy kept a body.
	t.Run("nginx that buffers", func(t *testing.T) {
		f := newNginx(t, newGateway(t), "proxy_request_buffering off;", "proxy_request_buffering on;")
		s := &script{t: t, base: f.url, http: f.http}
		if err := s.large("buffered", size); err == nil {
			t.Error("it kept a body, and nothing showed it")
		}
	})
}

// Gateways behind HAProxy are restarted one after another, under load, and not
// one call is lost.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	internal := stack.FreeAddr(t)
	newCore(t, "--internal-listen", internal)
	folder := t.TempDir() // of the secret that both gateways share
	flags := []string{"--rate", "1e6", "--rate-burst", "1000000", "--auth-rate", "1e6", "--auth-burst", "1000000", "--drain-delay", "3s"}
	var gateways [2]*gateway
	var addrs [2]string
	for i := range gateways {
		addrs[i] = stack.FreeAddr(t)
		g := &gateway{process: process{log: newOutput()}}
		t.Cleanup(func() {
			g.kill()
			if t.Failed() {
				t.Logf("a gateway's log ends with:\n%s", g.log.tail())
			}
		})
		if err := g.start(t.Context(), addrs[i], internal, folder, flags...); err != nil {
			t.Fatal(err)
		}
		gateways[i] = g
	}
	f := newHAProxy(t, addrs, stack.FreeAddr(t), stack.FreeAddr(t))

	load := &load{base: f.url, http: f.http}
	var callers []*caller
	for i := range 8 {
		callers = append(callers, newCaller(t, load, i))
	}
	var over atomic.Bool
	var working sync.WaitGroup
	for _, c := range callers {
		working.Go(func() {
			for !over.Load() {
				if err := c.task(t.Context()); err != nil {
					t.Errorf("%s: %v", c.name, err)
					return
				}
				c.taskDone()
			}
		})
	}
	for i, g := range gateways {
		before := load.tasks.Load()
		if err := g.stop(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		from := f.log.length()
		if err := g.start(t.Context(), addrs[i], internal, folder, flags...); err != nil {
			t.Fatal(err)
		}
		f.expect(t, from, fmt.Sprintf("Server gateways/gateway%d is UP", i+1))
		if load.tasks.Load() == before {
			t.Error("nothing was done meanwhile")
		}
	}
	over.Store(true)
	working.Wait()
	for _, c := range callers {
		c.check(t)
	}
	if n := load.retries.Load(); n > 0 {
		t.Errorf("%d of %d calls were not answered, or by 503", n, load.requests.Load())
	}
	if strings.Contains(f.log.since(0), "backend gateways has no server available") {
		t.Error("at a time there was no gateway")
	}
	t.Logf("%d calls", load.requests.Load())
}

// Clients reach the core by HAProxy, and the core knows where they come from.
func TestProxyProtocolOfHAProxy(t *testing.T) {
	t.Parallel()
	internal := stack.FreeAddr(t)
	c := newCore(t, "--internal-listen", internal, "--proxy-protocol", "127.0.0.1", "--idle-timeout", "2s")
	clients := stack.FreeAddr(t)
	newHAProxy(t, [2]string{stack.FreeAddr(t), stack.FreeAddr(t)}, clients, c.addr)
	p := register(t, clients, "proxied")
	content := p.write("file", 3<<20)
	p.must("backup", "file")
	p.gets("file", content)

	// A request that makes no sense is remembered with its sender's address.
	const sender = "127.0.0.7"
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(sender)}}).DialContext(t.Context(), "tcp", clients)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(bytes.Repeat([]byte{0xFF}, 23)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil { // until it hangs up
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "coffer-server", "doctor", "--json", "--internal-listen", internal).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(out) || !strings.Contains(string(out), `"`+sender+`"`) {
		t.Errorf("doctor does not know the sender:\n%s", out)
	}
	if text := c.log.since(0); strings.Contains(text, "no PROXY header") {
		t.Error("HAProxy's own checks are taken for clients")
	}
}
