package api_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"coffer/api"
)

// What cannot be served of a file is a problem that the contract knows, and
// nothing of the file.
func TestContentByTheRules(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("ada")
	ciphertext := s.put(a, "file", []byte("forty bytes of something to be kept here"))
	const path = "/api/v1/files/file/content"
	etag := s.call("GET", path, nil, a.headers...).header.Get("ETag")
	for _, test := range []struct {
		name, value string
		status      int
		kind        string
	}{
		{"Range", "bytes=-0", 416, "range"},
		{"Range", "bytes=1000-", 416, "range"},
		{"Range", "bytes=4-2", 416, "range"},
		{"Range", "bytes=40-99999999999999999999", 206, ""},
		{"Range", "Bytes=0-3", 206, ""},
		{"Range", "lines=0-3", 200, ""},
		{"If-Match", `"another"`, 412, "precondition"},
		{"If-Match", etag, 200, ""},
		{"If-Unmodified-Since", "Sun, 01 Nov 2020 12:00:00 GMT", 412, "precondition"},
		{"If-None-Match", etag, 304, ""},
	} {
		got := s.call("GET", path, nil, append(a.headers, test.name, test.value)...)
		if got.status != test.status {
			t.Errorf("%s: %s: %d %q", test.name, test.value, got.status, got.body)
		}
		if test.kind != "" && got.json(t)["type"] != "/docs/problems#"+test.kind {
			t.Errorf("%s: %s: %s", test.name, test.value, got.body)
		}
		if got.status == 416 && got.header.Get("Content-Range") == "" {
			t.Errorf("%s: no Content-Range", test.value)
		}
	}
	if got := s.call("HEAD", path, nil, append(a.headers, "Range", "bytes=0-1")...); got.status != 200 || got.header.Get("Content-Length") != "48" {
		t.Errorf("HEAD: %d %v of %d", got.status, got.header, len(ciphertext))
	}
	if got := s.call("DELETE", "/api/v1/files/file", nil, append(a.headers, "If-Match", `"another"`)...); got.status != 412 {
		t.Errorf("DELETE of another one: %d", got.status)
	}
	s.must(200, "GET", "/api/v1/files/file", nil, a.headers...)
	s.must(204, "DELETE", "/api/v1/files/file", nil, append(a.headers, "If-Match", etag)...)
}

func TestCodings(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	for _, test := range []struct{ accept, coding string }{
		{"gzip", "gzip"}, {"gzip;q=0", ""}, {"deflate", ""}, {"identity", ""}, {"br, gzip;q=0.5", "gzip"}, {"", ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/openapi.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Accept-Encoding"] = []string{test.accept}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Content-Encoding"); got != test.coding || !strings.Contains(strings.Join(response.Header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%q: %q, %v", test.accept, got, response.Header)
		}
	}
	a := s.account("ada")
	for _, path := range []string{"/api/v1/uploads", "/api/v1/files/upload"} {
		got := s.call("POST", path, m{}, append(a.headers, "Content-Encoding", "gzip")...)
		if got.status != 415 {
			t.Errorf("%s: a body with a coding: %d %s", path, got.status, got.body)
		}
	}
}

// Two names, or two passwords, are never one: what is not text is refused at
// every door.
func TestBytesAreNeverReplaced(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("ada")
	upload := `{"filename":"%","original_size":15,"packet_number":1,"total_packets":1,"encrypted_data":"AAAAAAAAAAAAAAAAAAAAAA=="}`
	for _, text := range []string{"caf\xe9", `\ud800`, `\ude00\ud83d`, "\xed\xa0\x80"} {
		for path, body := range map[string]string{
			"/api/v1/auth/register":  `{"username":"%","client_type":"api_client"}`,
			"/api/v1/auth/login":     `{"username":"ada","password":"p%ssword"}`,
			"/api/v1/uploads":        `{"filename":"%"}`,
			"/api/v1/files/upload":   upload,
			"/api/v1/files/verify":   `{"filename":"%","client_crc":"0x00000001"}`,
			"/api/v1/account/remove": `{"password":"%"}`,
		} {
			got := s.call("POST", path, strings.NewReader(strings.ReplaceAll(body, "%", text)), append(a.headers, "Content-Type", "application/json")...)
			if got.status != 400 || got.json(t)["type"] != "/docs/problems#invalid" {
				t.Errorf("%s with %q: %d %s", path, text, got.status, got.body)
			}
		}
	}
	for _, path := range []string{"/api/v1/files/caf%E9", "/api/v1/files/caf%E9/content", "/api/v1/files?after=caf%E9", "/api/v1/files?after=%ED%A0%80",
		"/api/v1/files?after=a;b", "/api/v1/files?%E9=1"} {
		if got := s.call("GET", path, nil, a.headers...); got.status != 400 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := s.call("DELETE", "/api/v1/files/"+url.PathEscape("caf\xe9"), nil, a.headers...); got.status != 400 {
		t.Errorf("DELETE: %d", got.status)
	}
	s.put(a, "café", []byte("which is text"))
	s.must(200, "GET", "/api/v1/files/caf%C3%A9", nil, a.headers...)
}

// Nothing is held for who has proven nothing.
func TestNoSpoolWithoutProof(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.TempDir = t.TempDir() + "/missing" })
	a := s.account("ada")
	body := `{"encrypted_data":"` + strings.Repeat("AAAA", 16) + `","client_id":"` + a.id + `","filename":"f","original_size":47,"packet_number":1,"total_packets":2}`
	got := s.call("POST", "/api/v1/files/upload", strings.NewReader(body), "Authorization", "Bearer "+a.token, "Content-Type", "application/json")
	if got.status != 401 {
		t.Errorf("the client id last: %d %s", got.status, got.body)
	}
	got = s.call("POST", "/api/v1/files/upload", strings.NewReader(body), append(a.headers, "Content-Type", "application/json")...)
	if got.status != 200 {
		t.Errorf("the client id as a header: %d %s", got.status, got.body)
	}
}

// slowCalls begins n calls whose bodies bring a byte and then nothing, and
// returns when all of them are under way or answered.
func slowCalls(t *testing.T, s *site, n int, path string, headers ...string) (end func(), refused int) {
	t.Helper()
	var conns []net.Conn
	for range n {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		var b bytes.Buffer
		b.WriteString("PUT " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n")
		for i := 0; i < len(headers); i += 2 {
			b.WriteString(headers[i] + ": " + headers[i+1] + "\r\n")
		}
		b.WriteString("\r\n")
		if _, err := conn.Write(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		// The body is asked for only once the call is served.
		status := make([]byte, 12)
		if _, err := io.ReadFull(conn, status); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(status, []byte("100")) {
			refused++
		}
	}
	return func() {
		for _, conn := range conns {
			conn.Close()
		}
	}, refused
}

// Calls under way are bounded, by address and by account, and what ends makes
// room.
func TestConcurrentCalls(t *testing.T) {
	for _, limit := range []string{"address", "account"} {
		s := startSite(t, startCore(t).addr, func(cfg *api.Config) {
			cfg.AddressCalls, cfg.AccountCalls = 1000, 1000
			if limit == "address" {
				cfg.AddressCalls = 5
			} else {
				cfg.AccountCalls = 5
			}
		})
		a, other := s.account("ada"), s.account("bob")
		id := s.must(201, "POST", "/api/v1/uploads", m{"filename": "f"}, a.headers...)["upload_id"].(string)
		end, refused := slowCalls(t, s, 8, "/api/v1/uploads/"+id+"/packets/1", a.headers...)
		if refused != 3 {
			t.Errorf("%s: %d of 8 were refused", limit, refused)
		}
		if got := s.call("GET", "/api/v1/files", nil, a.headers...); got.status != 429 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: one more: %d %v", limit, got.status, got.header)
		}
		want := map[string]int{"address": 429, "account": 200}[limit]
		if got := s.call("GET", "/api/v1/files", nil, other.headers...); got.status != want {
			t.Errorf("%s: another's call: %d", limit, got.status)
		}
		if got := s.call("GET", "/healthz", nil); got.status != 200 {
			t.Errorf("%s: a probe: %d", limit, got.status)
		}
		end()
		for deadline := time.Now().Add(20 * time.Second); s.call("GET", "/api/v1/files", nil, a.headers...).status != 200; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: what ended makes no room", limit)
			}
		}
	}
}

// An IPv6 /64 is one address, and so is an IPv4 address however it is written;
// an account is one wherever its calls come from.
func TestConcurrentCallsByNetwork(t *testing.T) {
	for _, tt := range []struct {
		what         string
		perAddress   bool
		from         []string // two are let in
		other, still string   // where a call is let in, and where not
	}{
		{"/64", true, []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"}, "2001:db8:0:1::1", "2001:db8::4"},
		{"mapped", true, []string{"192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"}, "192.0.2.2", "192.0.2.1"},
		{"account", false, []string{"192.0.2.1", "198.51.100.1", "2001:db8::1"}, "", "203.0.113.1"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s := startSite(t, startCore(t).addr, func(cfg *api.Config) {
				cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
				if cfg.AddressCalls, cfg.AccountCalls = 1000, 2; tt.perAddress {
					cfg.AddressCalls, cfg.AccountCalls = 2, 1000
				}
			})
			a := s.account("ada")
			id := s.must(201, "POST", "/api/v1/uploads", m{"filename": "f"}, a.headers...)["upload_id"].(string)
			for i, address := range tt.from {
				end, refused := slowCalls(t, s, 1, "/api/v1/uploads/"+id+"/packets/1", append(a.headers, "X-Forwarded-For", address)...)
				defer end()
				if want := max(0, i-1); refused != want {
					t.Errorf("call %d, from %s: %d were refused, want %d", i+1, address, refused, want)
				}
			}
			get := func(from string) int {
				return s.call("GET", "/api/v1/files", nil, append(a.headers, "X-Forwarded-For", from)...).status
			}
			if got := get(tt.still); got != 429 {
				t.Errorf("from %s: %d", tt.still, got)
			}
			if tt.other != "" {
				if got := get(tt.other); got != 200 {
					t.Errorf("from %s: %d", tt.other, got)
				}
			}
		})
	}
}

// A caller who opens streams only to reset them is cut off.
func TestRapidReset(t *testing.T) {
	g, err := api.New(config(startCore(t).addr))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	srv := httptest.NewUnstartedServer(g)
	srv.EnableHTTP2 = true
	srv.Config.ConnContext = api.WithConnection
	srv.StartTLS()
	defer srv.Close()
	conn, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			if _, err := framer.ReadFrame(); err != nil {
				return
			}
		}
	}()
	reset := 0
	for stream := uint32(1); reset < 1_000_000; stream += 2 {
		headers.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":path", "/api/v1/status"}, {":scheme", "https"}, {":authority", "x"}} {
			if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
				t.Fatal(err)
			}
		}
		err := errors.Join(framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers.Bytes(), EndStream: true, EndHeaders: true}),
			framer.WriteRSTStream(stream, http2.ErrCodeCancel))
		if err != nil {
			break
		}
		reset++
	}
	<-closed
	t.Logf("cut off after %d resets", reset)
	if reset == 1_000_000 {
		t.Error("it was never cut off")
	}
}
