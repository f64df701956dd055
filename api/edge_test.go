package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/api"
)

// serve runs a gateway by Serve, as the program does, and returns its address
// and what ends it.
func serve(t *testing.T, cfg api.Config) (addr string, stop func() error) {
	t.Helper()
	g, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := listen(t, "127.0.0.1:0")
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, l) }()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		g.Close()
		return err
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String(), stop
}

func TestTLS(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // has a certificate, and a client that trusts it
	defer lender.Close()
	cfg := config(startCore(t).addr)
	cfg.TLS = &tls.Config{Certificates: lender.TLS.Certificates}
	addr, _ := serve(t, cfg)
	answer, err := lender.Client().Get("https://" + addr + "/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
	plain, err := http.Get("http://" + addr + "/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	if plain.StatusCode != 400 || plain.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("without TLS: %d", plain.StatusCode)
	}
}

func TestTLSToTheCore(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	defer lender.Close()
	addr := startCoreWith(t, &tls.Config{Certificates: lender.TLS.Certificates}).addr
	trusted := x509.NewCertPool()
	trusted.AddCert(lender.Certificate())
	for _, test := range []struct {
		name   string
		conf   *tls.Config
		status int
	}{
		{"trusted", &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"}, 200},
		{"of an unknown authority", &tls.Config{ServerName: "127.0.0.1"}, 503},
		{"of another name", &tls.Config{RootCAs: trusted, ServerName: "core.invalid"}, 503},
		{"without TLS", nil, 503},
	} {
		s := startSite(t, addr, func(cfg *api.Config) { cfg.CoreTLS, cfg.CoreTimeout = test.conf, time.Second })
		if got := s.call("GET", "/api/v1/status", nil); got.status != test.status {
			t.Errorf("%s: %d %s", test.name, got.status, got.body)
		}
	}
}

// A stopping gateway finishes the calls that it has begun, and serves no
// others.
func TestDrain(t *testing.T) {
	cfg := config(startCore(t).addr)
	addr, stop := serve(t, cfg)
	s := &site{t: t, url: "http://" + addr, contract: startSite(t, "127.0.0.1:1", nil).contract}
	a := s.account("alice")
	packets, ciphertext, crc := s.begun(a, 1<<20)
	w := s.dial()
	w.begin("PUT", packets+"1?last=true", len(ciphertext), append(a.headers, "Expect", "100-continue")...)
	if line, err := w.in.ReadString('\n'); err != nil || !strings.Contains(line, "100") { // the call is in flight
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := w.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for deadline := time.Now().Add(10 * time.Second); ; {
		answer, err := http.Get(s.url + "/healthz")
		if err != nil {
			break
		}
		answer.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("it goes on serving others")
		}
	}
	select {
	case err := <-stopped:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	w.send(ciphertext)
	if got := w.answer(); got.status != 200 || got.json(t)["server_crc"] != crc {
		t.Errorf("the upload in flight: %d %s", got.status, got.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A gateway that is about to end says so to balancers, and serves on meanwhile.
func TestDrainDelay(t *testing.T) {
	cfg := config(startCore(t).addr)
	cfg.DrainDelay = 2 * time.Second
	addr, stop := serve(t, cfg)
	s := &site{t: t, url: "http://" + addr, contract: startSite(t, "127.0.0.1:1", nil).contract}
	if got := s.call("GET", "/readyz", nil); got.status != 200 {
		t.Fatalf("at first: %d", got.status)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for deadline := time.Now().Add(time.Second); s.call("GET", "/readyz", nil).status != 503; {
		if time.Now().After(deadline) {
			t.Fatal("it stays ready")
		}
	}
	answer, err := http.Get(s.url + "/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 || !answer.Close {
		t.Errorf("meanwhile: status %d, the connection ends: %v", answer.StatusCode, answer.Close)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// What does not end by itself is cut off.
func TestDrainTimeout(t *testing.T) {
	cfg := config(startCore(t).addr)
	cfg.DrainTimeout = 50 * time.Millisecond
	addr, stop := serve(t, cfg)
	s := &site{t: t, url: "http://" + addr, contract: startSite(t, "127.0.0.1:1", nil).contract}
	a := s.account("alice")
	packets, _, _ := s.begun(a, 1<<20)
	w := s.dial()
	w.begin("PUT", packets+"1", 1<<20, append(a.headers, "Expect", "100-continue")...)
	if _, err := w.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := w.nc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, w.in); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the upload was not cut off")
	}
}

// Who may say whom a call is from: proxies that are trusted, and nobody else.
func TestTrustedProxies(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		s := startSite(t, startCore(t).addr, func(cfg *api.Config) {
			cfg.AuthRate = api.Rate{PerSecond: 0.01, Burst: 1}
			if trusted {
				cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
			}
		})
		try := func(username, forwarded string) int {
			return s.call("POST", "/api/v1/auth/login", m{"username": username}, "X-Forwarded-For", forwarded).status
		}
		if got := try("a", "192.0.2.1"); got != 401 {
			t.Errorf("trusted %v: the first call: %d", trusted, got)
		}
		other := 429
		if trusted {
			other = 401
		}
		if got := try("b", "192.0.2.1, 198.51.100.7, 10.0.0.1"); got != other {
			t.Errorf("trusted %v: another address: %d, want %d", trusted, got, other)
		}
		if got := try("c", "8.8.8.8, 192.0.2.1, 10.9.9.9"); got != 429 {
			t.Errorf("trusted %v: the first address again, and one that it made up: %d", trusted, got)
		}
		// A name is slowed, and nobody is locked out of it.
		if got := try("a", "203.0.113.1"); got != other {
			t.Errorf("trusted %v: the first username again: %d, want %d", trusted, got, other)
		}
	}
}

func TestGeneralLimit(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.Rate = api.Rate{PerSecond: 0.5, Burst: 3} })
	for range 3 {
		s.must(200, "GET", "/api/v1/status", nil)
	}
	got := s.call("GET", "/api/v1/status", nil)
	if wait := got.header.Get("Retry-After"); got.status != 429 || wait != "1" && wait != "2" || got.json(t)["type"] != "/docs/problems#rate" {
		t.Errorf("%d, Retry-After %q, %s", got.status, wait, got.body)
	}
	for _, probe := range []string{"/healthz", "/readyz", "/metrics"} {
		if got := s.call("GET", probe, nil); got.status != 200 {
			t.Errorf("%s: %d", probe, got.status)
		}
	}
}

func TestOrigins(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.CORSOrigins = []string{"https://good.example"} })
	for origin, allowed := range map[string]string{"https://good.example": "https://good.example", "https://bad.example": "", "null": ""} {
		preflight := s.call("OPTIONS", "/api/v1/uploads/x/packets/1", nil, "Origin", origin,
			"Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization,content-type,x-client-id")
		if got := preflight.header.Get("Access-Control-Allow-Origin"); got != allowed || (preflight.header.Get("Access-Control-Allow-Headers") != "") != (allowed != "") {
			t.Errorf("preflight from %s: %d %v", origin, preflight.status, preflight.header)
		}
		got := s.call("GET", "/api/v1/status", nil, "Origin", origin)
		if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != allowed || got.header.Get("Access-Control-Allow-Credentials") != "" ||
			!strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Origin") {
			t.Errorf("from %s: %d %v", origin, got.status, got.header)
		}
		if exposed := got.header.Get("Access-Control-Expose-Headers"); (allowed != "") != strings.Contains(strings.ToLower(exposed), "etag") {
			t.Errorf("from %s: exposes %q", origin, exposed)
		}
	}
}

// JSON and pages are compressed for who can read that; ciphertext is not.
func TestCompression(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	ciphertext := s.put(a, "f", make([]byte, 100_000))
	zip := append([]string{"Accept-Encoding", "gzip"}, a.headers...)
	for _, path := range []string{"/api/v1/files", "/openapi.json", "/docs"} {
		got := s.call("GET", path, nil, append([]string{"Accept-Encoding", "identity"}, a.headers...)...)
		if got.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed for who did not ask", path)
		}
		zipped := s.raw(t, path, zip)
		if zipped.header.Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(zipped.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s: %v", path, zipped.header)
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(zipped.body))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(plain, got.body) {
			t.Errorf("%s: %v, %d bytes", path, err, len(plain))
		}
	}
	got := s.raw(t, "/api/v1/files/f/content", zip)
	if got.header.Get("Content-Encoding") != "" || !bytes.Equal(got.body, ciphertext) {
		t.Errorf("content: %v, %d bytes", got.header, len(got.body))
	}
}

// raw is call for GET, without looking at the contract, which knows nothing of
// encodings.
func (s *site) raw(t *testing.T, path string, headers []string) answer {
	t.Helper()
	w := s.dial()
	w.begin("GET", path, 0, headers...)
	return w.answer()
}

// Every answer bears a request id, which problems repeat: the caller's own if
// it can do no harm in a log.
func TestRequestIDs(t *testing.T) {
	s := startSite(t, "127.0.0.1:1", nil)
	for _, test := range []struct {
		given string
		kept  bool
	}{
		{"my-own_id.7", true}, {"", false}, {"a b", false}, {`"x"`, false}, {"ü", false}, {"x=y", false},
		{strings.Repeat("x", 64), true}, {strings.Repeat("x", 65), false},
	} {
		got := s.call("GET", "/nowhere", nil, "X-Request-ID", test.given)
		id := got.header.Get("X-Request-ID")
		if (id == test.given) != test.kept || !test.kept && !regexp.MustCompile("^[0-9a-f]{16}$").MatchString(id) {
			t.Errorf("%q became %q", test.given, id)
		}
		if got.json(t)["instance"] != "/requests/"+id {
			t.Errorf("%q: %s", test.given, got.body)
		}
	}
}

// The page that a problem's type names says what it means.
func TestProblemsLeadToTheirMeaning(t *testing.T) {
	s := startSite(t, "127.0.0.1:1", nil)
	for status, call := range map[int][2]string{404: {"GET", "/api/v1/nope"}, 405: {"PATCH", "/api/v1/status"}, 503: {"GET", "/api/v1/status"}, 401: {"GET", "/api/v1/files"}, 415: {"POST", "/api/v1/auth/login"}} {
		got := s.call(call[0], call[1], nil)
		if got.status != status {
			t.Errorf("%v: %d", call, got.status)
			continue
		}
		problem := got.json(t)
		page, fragment, _ := strings.Cut(problem["type"].(string), "#")
		if doc := s.call("GET", page, nil); doc.status != 200 || !bytes.Contains(doc.body, []byte(`id="`+fragment+`"`)) {
			t.Errorf("%v: %s leads nowhere", call, problem["type"])
		}
		if int(problem["status"].(float64)) != status || problem["message"] != problem["detail"] || problem["title"] == "" {
			t.Errorf("%v: %s", call, got.body)
		}
		if status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%v: WWW-Authenticate %q", call, got.header.Get("WWW-Authenticate"))
		}
		if status == 405 && !strings.Contains(strings.Join(got.header.Values("Allow"), ","), "GET") {
			t.Errorf("%v: Allow %q", call, got.header.Values("Allow"))
		}
	}
}

// Tokens are good at every gateway with the same secret, at no other, and not
// for longer than it says.
func TestTokensBetweenGateways(t *testing.T) {
	core := startCore(t).addr
	s, twin := startSite(t, core, nil), startSite(t, core, nil)
	stranger := startSite(t, core, func(cfg *api.Config) { cfg.Secret = bytes.Repeat([]byte{8}, 32) })
	a := s.account("alice")
	twin.must(200, "GET", "/api/v1/files", nil, a.headers...)
	stranger.must(401, "GET", "/api/v1/files", nil, a.headers...)
	hasty := startSite(t, core, func(cfg *api.Config) { cfg.TokenTTL = time.Second })
	token := hasty.must(200, "POST", "/api/v1/auth/login", m{"username": "alice", "client_id": a.id})["session_token"].(string)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-again.C {
		got := s.call("GET", "/api/v1/files", nil, "Authorization", "Bearer "+token)
		if got.status == 401 && strings.Contains(string(got.body), "has expired") {
			break
		}
		if got.status != 200 || time.Now().After(deadline) {
			t.Fatalf("a token that should expire: %d %s", got.status, got.body)
		}
	}
}

// Nothing that a caller must keep to themselves reaches the log, the metrics or
// a problem: not when all goes well, and not when it does not.
func TestNothingSecretIsSaid(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	c := startCore(t)
	s := startSite(t, c.addr, func(cfg *api.Config) {
		cfg.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const password, name, wrong = "correct horse battery", "my diary.txt", "wr0ng-guess"
	a := s.account("alice")
	id := s.must(201, "POST", "/api/v1/auth/register", m{"username": "bob", "client_type": "web_client", "password": password})["client_id"].(string)
	token := s.must(200, "POST", "/api/v1/auth/login", m{"username": "bob", "password": password})["session_token"].(string)
	s.put(a, name, []byte("x"))
	path := "/api/v1/files/" + strings.ReplaceAll(name, " ", "%20")
	var problems []byte
	for _, call := range []struct {
		method, path string
		body         any
		headers      []string
	}{
		{"GET", path + "?version=7", nil, a.headers},
		{"GET", "/api/v1/files?after=" + wrong + "&limit=" + wrong, nil, a.headers},
		{"GET", "/" + wrong, nil, nil},
		{wrong, "/api/v1/status", nil, nil},
		{"POST", "/api/v1/auth/login", m{"username": "bob", "password": wrong}, nil},
		{"POST", "/api/v1/auth/login", m{"username": "bob", "password": []string{wrong}}, nil},
		{"POST", "/api/v1/auth/login", m{"username": "bob", "client_id": wrong}, nil},
		{"POST", "/api/v1/auth/register", m{"username": "carol", "client_type": wrong}, nil},
		{"GET", "/api/v1/files", nil, []string{"Authorization", "Bearer " + token + wrong}},
		{"GET", "/api/v1/files", nil, []string{"Authorization", "Bearer " + token, "X-Client-ID", wrong}},
		{"GET", "/api/v1/files", nil, []string{"Authorization", "Bearer " + token, "X-Client-ID", a.id}},
		{"POST", "/api/v1/files/upload", m{"client_id": wrong, "filename": wrong, "original_size": 1, "packet_number": 1, "total_packets": 1, "encrypted_data": wrong}, a.headers},
		{"POST", "/api/v1/files/verify", m{"filename": name, "client_crc": wrong}, a.headers},
		{"PUT", "/api/v1/uploads/" + wrong + "/packets/1", strings.NewReader("x"), a.headers},
	} {
		got := s.call(call.method, call.path, call.body, call.headers...)
		if got.status < 400 {
			t.Errorf("%s %s: %d", call.method, call.path, got.status)
		}
		problems = append(problems, got.body...)
	}
	metrics := s.call("GET", "/metrics", nil).body
	c.stop()
	problems = append(problems, s.call("POST", "/api/v1/auth/login", m{"username": "bob", "password": password}).body...)
	problems = append(problems, s.call("GET", path, nil, a.headers...).body...)
	c.start()

	mu.Lock()
	defer mu.Unlock()
	for where, text := range map[string]string{"the log": log.String(), "the metrics": string(metrics), "a problem": string(problems)} {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		for what, secret := range map[string]string{"password": password, "client id": a.id, "client id of bob": id, "token": a.token, "token of bob": token,
			"signature": token[strings.LastIndex(token, ".")+1:], "file name": name, "escaped file name": "my%20diary", "plain client id": strings.ReplaceAll(a.id, "-", ""), "wrong guess": wrong} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has a %s", where, what)
			}
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}
