package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"coffer/api"
	"coffer/api/contract"
	"coffer/internal/openapi/openapitest"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/server"
	"coffer/store/files"
	"coffer/store/sqlite"
)

// coreSecret is between gateway and core.
var coreSecret = crypt.CoreSecret{1, 2, 3}

// A core is a running server whose internal listener keeps its address over
// restarts.
type core struct {
	t      *testing.T
	dir    string
	master server.MasterKey
	addr   string
	tls    *tls.Config // of the internal listener; nil: plain TCP

	catalog *sqlite.Catalog
	blobs   *files.Store
	srv     *server.Server
	cancel  context.CancelFunc
	done    chan error
}

func startCore(t *testing.T) *core {
	t.Helper()
	return startCoreWith(t, nil)
}

func startCoreWith(t *testing.T, conf *tls.Config) *core {
	t.Helper()
	c := &core{t: t, dir: t.TempDir(), master: server.NewMasterKey(), addr: "127.0.0.1:0", tls: conf}
	c.start()
	t.Cleanup(func() {
		if c.cancel != nil {
			c.stop()
		}
	})
	return c
}

func (c *core) start() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if c.catalog, err = sqlite.Open(ctx, filepath.Join(c.dir, "defensive.db")); err != nil {
		c.t.Fatal(err)
	}
	if c.blobs, err = files.Open(filepath.Join(c.dir, "received_files")); err != nil {
		c.t.Fatal(err)
	}
	cfg := server.DefaultConfig()
	cfg.Catalog, cfg.Blobs, cfg.MasterKey = c.catalog, c.blobs, c.master
	cfg.Log = slog.New(slog.DiscardHandler)
	cfg.DrainTimeout = 5 * time.Second
	cfg.CoreSecret = coreSecret
	if c.srv, err = server.New(ctx, cfg); err != nil {
		c.t.Fatal(err)
	}
	public, internal := listen(c.t, "127.0.0.1:0"), listen(c.t, c.addr)
	c.addr = internal.Addr().String()
	if c.tls != nil {
		internal = tls.NewListener(internal, c.tls)
	}
	c.cancel, c.done = cancel, make(chan error, 1)
	srv, done := c.srv, c.done
	go func() { done <- srv.Serve(ctx, public, internal) }()
}

func (c *core) stop() {
	c.t.Helper()
	c.cancel()
	c.cancel = nil
	if err := <-c.done; err != nil {
		c.t.Errorf("Serve: %v", err)
	}
	if err := c.catalog.Close(); err != nil {
		c.t.Error(err)
	}
	if err := c.blobs.Close(); err != nil {
		c.t.Error(err)
	}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A site is a gateway before a core.
type site struct {
	t        *testing.T
	url      string
	contract *openapitest.Contract
}

func config(core string) api.Config {
	cfg := api.DefaultConfig()
	cfg.Core, cfg.Secret = core, bytes.Repeat([]byte{7}, 32)
	cfg.CoreSecret = coreSecret
	cfg.AuthRate = api.Rate{PerSecond: 1e6, Burst: 1e6}
	cfg.Rate = cfg.AuthRate
	cfg.Log = slog.New(slog.DiscardHandler)
	return cfg
}

// startSite starts a gateway whose settings adjust may change.
func startSite(t *testing.T, core string, adjust func(*api.Config)) *site {
	t.Helper()
	cfg := config(core)
	if adjust != nil {
		adjust(&cfg)
	}
	g, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	spec, err := contract.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, url: srv.URL, contract: openapitest.New(t, spec)}
}

// An answer is what a call got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%q is not JSON: %v", a.body, err)
	}
	return v
}

// call makes a call. Headers come in pairs; a body that is no io.Reader is
// sent as JSON.
func (s *site) call(method, path string, body any, headers ...string) answer {
	s.t.Helper()
	var r io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		r = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		r, contentType = bytes.NewReader(text), "application/json"
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.contract.Check(s.t, request, response, content)
	return answer{response.StatusCode, response.Header, content}
}

// An account is one that signed in.
type account struct {
	id, token string
	headers   []string // authorization and client id
	key       *rsa.PrivateKey
}

// account registers, signs in by name alone and brings a public key.
func (s *site) account(name string) account {
	s.t.Helper()
	var a account
	a.id, _ = s.must(201, "POST", "/api/v1/auth/register", m{"username": name, "client_type": "api_client"})["client_id"].(string)
	a.token, _ = s.must(200, "POST", "/api/v1/auth/login", m{"username": name})["session_token"].(string)
	a.headers = []string{"Authorization", "Bearer " + a.token, "X-Client-ID", a.id}
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&a.key.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.must(200, "POST", "/api/v1/keys/public", m{"public_key_der": base64.StdEncoding.EncodeToString(der)}, a.headers...)
	return a
}

type m = map[string]any

// must is call for an answer that has to have a status.
func (s *site) must(status int, method, path string, body any, headers ...string) map[string]any {
	s.t.Helper()
	a := s.call(method, path, body, headers...)
	if a.status != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	if len(a.body) == 0 {
		return nil
	}
	return a.json(s.t)
}

// sealed is what an upload of its own takes: ciphertext and checksum.
func (a account) sealed(t *testing.T, begun map[string]any, plain []byte) []byte {
	t.Helper()
	text, _ := begun["aes_key_encrypted"].(string)
	wrapped, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypt.Unwrap(a.key, crypt.SHA256, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err := io.ReadAll(crypt.NewEncryptReader(bytes.NewReader(plain), key))
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

// put uploads and confirms a file, and returns its ciphertext.
func (s *site) put(a account, name string, plain []byte) []byte {
	s.t.Helper()
	begun := s.must(201, "POST", "/api/v1/uploads", m{"filename": name}, a.headers...)
	path := "/api/v1/uploads/" + begun["upload_id"].(string)
	ciphertext := a.sealed(s.t, begun, plain)
	s.must(200, "PUT", path+"/packets/1?last=true", bytes.NewReader(ciphertext), a.headers...)
	s.must(200, "POST", path+"/verify", m{"client_crc": checksum(plain)}, a.headers...)
	return ciphertext
}

func checksum(plain []byte) string { return fmt.Sprintf("0x%08x", cksum.Sum(plain)) }
