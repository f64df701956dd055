package console_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/client"
	"coffer/console"
	"coffer/console/contract"
	"coffer/internal/openapi/openapitest"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/server"
	"coffer/store/files"
	"coffer/store/sqlite"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A site is a console in front of a core that serves, both on addresses of
// their own.
type site struct {
	t        testing.TB
	core     *server.Server
	folder   string // of blobs and catalog
	clients  string // address
	url      string
	token    console.Token
	records  *console.Log
	log      *slog.Logger
	contract *openapitest.Contract
}

// startSite starts a site whose settings adjust may change.
func startSite(t testing.TB, adjust func(*server.Config, *console.Config)) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir(), records: new(console.Log)}
	rand.Read(s.token[:])
	level := new(slog.LevelVar)
	s.log = slog.New(s.records.Handler(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})))

	catalog, err := sqlite.Open(t.Context(), filepath.Join(s.folder, "defensive.db"))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := files.Open(filepath.Join(s.folder, "received_files"))
	if err != nil {
		t.Fatal(err)
	}
	core := server.DefaultConfig()
	core.Catalog, core.Blobs, core.MasterKey, core.Log, core.Level = catalog, blobs, server.NewMasterKey(), s.log, level
	core.BackupDir, core.Version = filepath.Join(s.folder, "backups"), "test"
	cfg := console.Config{Token: s.token, Log: s.log, Records: s.records, Flags: []console.Flag{
		{Name: "session-ttl", Variable: "COFFER_SERVER_SESSION_TTL", Kind: contract.SettingKindDuration, Value: "10m", Origin: contract.SettingOriginDefault},
		{Name: "log-level", Kind: contract.SettingKindChoice, Value: "info", Origin: contract.SettingOriginDefault},
		{Name: "scrub-rate", Kind: contract.SettingKindBytes, Value: "32MiB", Origin: contract.SettingOriginDefault},
		{Name: "master-key", Kind: contract.SettingKindText, Value: "set", Origin: contract.SettingOriginEnvironment, Secret: true},
	}}
	if adjust != nil {
		adjust(&core, &cfg)
	}
	if s.core, err = server.New(t.Context(), core); err != nil {
		t.Fatal(err)
	}
	cfg.Core, cfg.Failures = s.core.Admin(), s.core.Failures
	c, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	public, l := listen(t), listen(t)
	s.clients, s.url = public.Addr().String(), "http://"+l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.core.Serve(ctx, public, nil) }()
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		for range cap(done) {
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
		if err := catalog.Close(); err != nil {
			t.Error(err)
		}
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	spec, err := contract.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	s.contract = openapitest.New(t, spec)
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// An answer is what a call got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%q is not JSON: %v", a.body, err)
	}
	return v
}

// request makes a request. Headers come in pairs; one with an empty value is
// left out, and Host is the request's.
func (s *site) request(method, path string, body any, headers ...string) *http.Request {
	s.t.Helper()
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		switch {
		case headers[i] == "Host":
			request.Host = headers[i+1]
		case headers[i+1] == "":
			request.Header.Del(headers[i])
		default:
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	return request
}

// do sends a request, follows nothing, and checks the answer against the
// contract.
func (s *site) do(request *http.Request) answer {
	s.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(request)
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

func (s *site) bearer() string { return "Bearer " + hex.EncodeToString(s.token[:]) }

// call calls as the operator, with what the guard asks for.
func (s *site) call(method, path string, body any, headers ...string) answer {
	s.t.Helper()
	all := append([]string{"Authorization", s.bearer()}, headers...)
	if method != http.MethodGet && body == nil {
		all = append(all, "X-Coffer-Console", "1")
	}
	return s.do(s.request(method, path, body, all...))
}

// must is call for an answer that has to have a status.
func (s *site) must(status int, method, path string, body any, headers ...string) answer {
	s.t.Helper()
	a := s.call(method, path, body, headers...)
	if a.status != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// get is must for a value.
func get[T any](s *site, path string) T {
	s.t.Helper()
	return decode[T](s.t, s.must(http.StatusOK, http.MethodGet, path, nil))
}

// An event is one of Server-Sent Events.
type event struct{ name, id, data string }

// events opens a stream. It ends with the test, or when stop is called.
func (s *site) events(path string, headers ...string) (next func() event, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	request := s.request(http.MethodGet, path, nil, append([]string{"Authorization", s.bearer()}, headers...)...).WithContext(ctx)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s: %d %v", path, response.StatusCode, response.Header)
	}
	lines := bufio.NewScanner(response.Body)
	return func() event {
		s.t.Helper()
		timer := time.AfterFunc(patience, cancel)
		defer timer.Stop()
		var e event
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					return e
				}
			}
		}
		return event{} // the stream has ended
	}, cancel
}

// until returns the next event of a name.
func until(t testing.TB, next func() event, name string) event {
	t.Helper()
	for {
		switch e := next(); e.name {
		case name:
			return e
		case "":
			t.Fatalf("the stream ended without %q", name)
		}
	}
}

// A person is a client of the core's.
type person struct {
	t    testing.TB
	name string
	id   protocol.ClientID
	key  *rsa.PrivateKey
	conn *client.Conn
}

// person registers a client and proves its session key.
func (s *site) person(name string) *person {
	s.t.Helper()
	p := &person{t: s.t, name: name}
	var err error
	if p.conn, err = client.Dial(s.t.Context(), s.clients, client.Options{}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { p.conn.Close() })
	if p.key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	if p.id, err = p.conn.Register(s.t.Context(), name); err != nil {
		s.t.Fatal(err)
	}
	issued, err := p.conn.SendPublicKey(s.t.Context(), p.id, name, der)
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := crypt.Unwrap(p.key, crypt.AutoOAEPHash(der), issued.WrappedKey)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.conn.Prove(s.t.Context(), p.id, key); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// begin begins an upload and returns its ciphertext.
func (p *person) begin(name string, plain []byte) (*protocol.UploadBegun, []byte) {
	p.t.Helper()
	begun, err := p.conn.BeginUpload(p.t.Context(), p.id, protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: name, Format: protocol.FormatFile})
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := crypt.Unwrap(p.key, crypt.OAEPHash(begun.OAEPHash), begun.WrappedKey)
	if err != nil {
		p.t.Fatal(err)
	}
	ciphertext, err := io.ReadAll(crypt.NewEncryptReader(bytes.NewReader(plain), key))
	if err != nil {
		p.t.Fatal(err)
	}
	return begun, ciphertext
}

// put uploads and confirms a file.
func (p *person) put(name string, plain []byte) {
	p.t.Helper()
	begun, ciphertext := p.begin(name, plain)
	if _, err := p.conn.UploadPacket(p.t.Context(), p.id, protocol.UploadPacket{Upload: begun.Upload, Number: 1, Last: true}, ciphertext); err != nil {
		p.t.Fatal(err)
	}
	verified, err := p.conn.VerifyUpload(p.t.Context(), p.id, protocol.VerifyUpload{Cksum: cksum.Sum(plain), Ref: protocol.UploadRef{ByID: true, Upload: begun.Upload}})
	if err != nil || !verified.Verified {
		p.t.Fatalf("%+v, %v", verified, err)
	}
}
