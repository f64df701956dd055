package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/stack"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// A gateway is a running coffer-gateway.
type gateway struct {
	url string
	process
}

// newGateway starts a gateway in front of a core.
func newGateway(t *testing.T, core string) *gateway {
	t.Helper()
	addr := stack.FreeAddr(t)
	return newGatewayAt(t, addr, core)
}

func newGatewayAt(t *testing.T, addr, core string, args ...string) *gateway {
	t.Helper()
	g := &gateway{process: process{log: newOutput()}}
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("the gateway's log ends with:\n%s", g.log.tail())
		}
	})
	if err := g.start(t.Context(), addr, core, t.TempDir(), args...); err != nil {
		t.Fatal(err)
	}
	return g
}

// start starts the gateway, its secret in a folder, and waits until it serves.
func (g *gateway) start(ctx context.Context, addr, core, folder string, args ...string) error {
	g.url = "http://" + addr
	g.cmd = exec.Command("coffer-gateway", append([]string{"--listen", addr, "--core", core,
		"--jwt-secret-file", filepath.Join(folder, "jwt")}, args...)...)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.run(); err != nil {
		return err
	}
	return g.await(ctx, 0, "msg=serving")
}

// newServers starts a core and a gateway in front of it. The core's arguments
// serve to start it again.
func newServers(t *testing.T) (c *core, g *gateway, args []string) {
	t.Helper()
	internal := stack.FreeAddr(t)
	args = []string{"--internal-listen", internal}
	return newCore(t, args...), newGateway(t, internal), args
}

// A script is what calls the gateway: plain HTTP and JSON.
type script struct {
	t      *testing.T
	http   *http.Client // nil: the default one
	base   string
	token  string
	client string
}

// call makes a call and returns its status and body.
func (s *script) call(method, path string, body any) (int, []byte) {
	s.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r := s.request(method, path, in)
	r.Header.Set("Content-Type", "application/json")
	answer, out, err := s.send(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, out
}

// request makes a request of who is signed in.
func (s *script) request(method, path string, body io.Reader) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.client != "" {
		r.Header.Set("X-Client-ID", s.client)
	}
	return r
}

// send sends a request and reads the answer.
func (s *script) send(r *http.Request) (*http.Response, []byte, error) {
	client := s.http
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	return answer, out, err
}

// get makes a call that must succeed and decodes its answer.
func (s *script) get(status int, method, path string, body, answer any) {
	s.t.Helper()
	got, out := s.call(method, path, body)
	if got != status {
		s.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got, status, out)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		s.t.Fatalf("%s %s: %v: %s", method, path, err, out)
	}
}

// register registers an account without a password, signs in, and brings a
// public key.
func (s *script) register(username string) *rsa.PrivateKey {
	s.t.Helper()
	var registered struct {
		ClientID string `json:"client_id"`
	}
	s.get(201, "POST", "/api/v1/auth/register", map[string]string{"username": username, "client_type": "api_client"}, &registered)
	var login struct {
		Token string `json:"session_token"`
	}
	s.get(200, "POST", "/api/v1/auth/login", map[string]string{"username": username}, &login)
	s.token = login.Token
	if status, _ := s.call("GET", "/api/v1/files", nil); status < 400 {
		s.t.Errorf("a name alone lists files: status %d", status)
	}
	s.client = registered.ClientID

	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	var key struct {
		Size int `json:"key_size"`
	}
	s.get(200, "POST", "/api/v1/keys/public", map[string]any{"client_id": s.client, "public_key_der": der}, &key)
	if key.Size != private.Size() {
		s.t.Errorf("key_size is %d", key.Size)
	}
	return private
}

// The gateway as a script uses it: register, sign in, make a key, upload in
// packets, verify, list, download, sign out.
func TestGateway(t *testing.T) {
	_, g, _ := newServers(t)
	s := &script{t: t, base: g.url}
	if status, _ := s.call("GET", "/readyz", nil); status != 200 {
		t.Errorf("readyz: status %d", status)
	}

	private := s.register("script")
	var key struct {
		Wrapped []byte `json:"aes_key_encrypted"`
	}
	s.get(200, "POST", "/api/v1/keys/session", map[string]any{"client_id": s.client}, &key)
	session, err := crypt.Unwrap(private, crypt.SHA256, key.Wrapped)
	if err != nil {
		t.Fatal(err)
	}

	content := bytes.Repeat([]byte("what a script backs up\n"), 10_000)
	enc := crypt.NewEncrypter(session)
	ciphertext := enc.Finish(enc.Append(nil, content))
	half := len(ciphertext)/2 + 5
	var state struct {
		Awaiting []int  `json:"awaiting_packets"`
		CRC      string `json:"server_crc"`
	}
	for i, packet := range [][]byte{ciphertext[half:], ciphertext[:half]} { // the second one first
		s.get(200, "POST", "/api/v1/files/upload", map[string]any{"client_id": s.client, "filename": "a/b ü.txt",
			"encrypted_data": packet, "original_size": len(content), "packet_number": 2 - i, "total_packets": 2}, &state)
	}
	crc := fmt.Sprintf("0x%08x", cksum.Sum(content))
	if len(state.Awaiting) != 0 || state.CRC != crc {
		t.Errorf("complete: %+v, want crc %s", state, crc)
	}
	var verdict struct {
		Verified bool `json:"verified"`
	}
	s.get(200, "POST", "/api/v1/files/verify", map[string]string{"client_id": s.client, "filename": "a/b ü.txt", "client_crc": crc}, &verdict)
	if !verdict.Verified {
		t.Error("not verified")
	}
	if status, out := s.call("GET", "/api/v1/files/a%2Fb%20%C3%BC.txt/content", nil); status != 200 || !bytes.Equal(out, ciphertext) {
		t.Errorf("content: status %d, %d bytes", status, len(out))
	}
	if status, _ := s.call("POST", "/api/v1/auth/logout", nil); status != 204 {
		t.Errorf("logout: status %d", status)
	}
	if status, _ := s.call("GET", "/api/v1/files", nil); status != 401 {
		t.Errorf("after the logout: status %d", status)
	}
	if err := g.stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if text := g.log.since(0); strings.Contains(text, s.token) || strings.Contains(text, s.client) {
		t.Error("the log has a token or a client id")
	}
}
