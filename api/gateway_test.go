package api_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"coffer/api"
)

func TestFileNamesInPaths(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	for _, name := range []string{"plain.txt", "docs/ünï code.txt", "100%.txt", "100%25.txt", "a+b&c=d?e#f", "upload", "verify", "content", "x/content", "שלום"} {
		ciphertext := s.put(a, name, []byte(name))
		path := "/api/v1/files/" + url.PathEscape(name)
		if got := s.must(200, "GET", path, nil, a.headers...)["file"].(m)["filename"]; got != name {
			t.Errorf("%q came back as %q", name, got)
		}
		got := s.call("GET", path+"/content", nil, a.headers...)
		if got.status != 200 || !bytes.Equal(got.body, ciphertext) {
			t.Errorf("content of %q: %d, %d bytes", name, got.status, len(got.body))
		}
		s.must(204, "DELETE", path, nil, a.headers...)
		s.must(404, "GET", path, nil, a.headers...)
	}
}

func TestContentRanges(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	c := s.put(a, "big", bytes.Repeat([]byte("0123456789"), 250_000)) // more than two pieces
	n := len(c)
	etag := s.call("HEAD", "/api/v1/files/big/content", nil, a.headers...).header.Get("ETag")
	tests := []struct {
		name    string
		method  string
		headers []string
		status  int
		body    []byte
	}{
		{"whole", "GET", nil, 200, c},
		{"head", "HEAD", nil, 200, nil},
		{"first bytes", "GET", []string{"Range", "bytes=0-99"}, 206, c[:100]},
		{"over a piece's end", "GET", []string{"Range", "bytes=1048570-1048580"}, 206, c[1048570:1048581]},
		{"to the end", "GET", []string{"Range", "bytes=2000000-"}, 206, c[2000000:]},
		{"last bytes", "GET", []string{"Range", "bytes=-16"}, 206, c[n-16:]},
		{"beyond the end", "GET", []string{"Range", "bytes=99999999-"}, 416, nil},
		{"known already", "GET", []string{"If-None-Match", etag}, 304, nil},
		{"another is known", "GET", []string{"If-None-Match", `"x"`}, 200, c},
		{"if it is the same", "GET", []string{"Range", "bytes=0-9", "If-Range", etag}, 206, c[:10]},
		{"if it were another", "GET", []string{"Range", "bytes=0-9", "If-Range", `"x"`}, 200, c},
	}
	for _, test := range tests {
		got := s.call(test.method, "/api/v1/files/big/content", nil, append(test.headers, a.headers...)...)
		if got.status != test.status || test.status != 416 && !bytes.Equal(got.body, test.body) {
			t.Errorf("%s: %d and %d bytes", test.name, got.status, len(got.body))
		}
		if test.status == 416 && got.json(t)["type"] != "/docs/problems#range" {
			t.Errorf("%s: %s", test.name, got.body)
		}
	}
}

func TestPages(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	for _, name := range []string{"a", "b &", "c"} {
		s.put(a, name, []byte(name))
	}
	var names []string
	for next, ok := "/api/v1/files?limit=1", true; ok; {
		page := s.must(200, "GET", next, nil, a.headers...)
		for _, f := range page["files"].([]any) {
			names = append(names, f.(m)["filename"].(string))
		}
		next, ok = page["next"].(string)
	}
	if got := strings.Join(names, ","); got != "a,b &,c" {
		t.Errorf("pages hold %q", got)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	alice, bob := s.account("alice"), s.account("bob")
	s.put(alice, "mine", []byte("x"))
	secret := m{"username": "carol", "client_type": "web_client", "password": "correct horse"}
	carolID := s.must(201, "POST", "/api/v1/auth/register", secret)["client_id"].(string)
	byPassword := s.must(200, "POST", "/api/v1/auth/login", m{"username": "carol", "password": "correct horse"})
	if byPassword["client_id"] != carolID {
		t.Error("a login by password must bear the client id")
	}
	proven := s.must(200, "POST", "/api/v1/auth/login", m{"username": "alice", "client_id": alice.id})["session_token"].(string)
	bearer := func(token string, more ...string) []string {
		return append([]string{"Authorization", "Bearer " + token}, more...)
	}

	for name, login := range map[string]m{
		"unknown":              {"username": "nobody"},
		"unknown, with id":     {"username": "nobody", "client_id": alice.id},
		"wrong password":       {"username": "carol", "password": "wrong"},
		"password not given":   {"username": "carol"},
		"id for a password":    {"username": "carol", "client_id": carolID},
		"another's id":         {"username": "alice", "client_id": bob.id},
		"password where is no": {"username": "alice", "password": "x"},
	} {
		got := s.call("POST", "/api/v1/auth/login", login)
		if got.status != 401 || got.json(t)["message"] != "unknown username, or wrong password or client id" {
			t.Errorf("login, %s: %d %s", name, got.status, got.body)
		}
	}
	tests := []struct {
		name    string
		headers []string
		status  int
	}{
		{"no token", nil, 401},
		{"another scheme", []string{"Authorization", "Basic " + proven}, 401},
		{"claimed, no id", bearer(alice.token), 401},
		{"claimed, own id", bearer(alice.token, "X-Client-ID", alice.id), 200},
		{"claimed, own id in capitals", bearer(alice.token, "X-Client-ID", strings.ToUpper(alice.id)), 200},
		{"claimed, another's id", bearer(alice.token, "X-Client-ID", bob.id), 403},
		{"claimed, no id at all", bearer(alice.token, "X-Client-ID", "x"), 400},
		{"proven, no id", bearer(proven), 200},
		{"proven, own id", bearer(proven, "X-Client-ID", alice.id), 200},
		{"proven, another's id", bearer(proven, "X-Client-ID", bob.id), 403},
	}
	for _, test := range tests {
		if got := s.call("GET", "/api/v1/files", nil, test.headers...); got.status != test.status {
			t.Errorf("%s: %d %s, want %d", test.name, got.status, got.body, test.status)
		}
	}
	s.must(404, "GET", "/api/v1/files/mine", nil, bob.headers...)
	s.must(204, "POST", "/api/v1/auth/logout", nil, bearer(proven)...)
	s.must(401, "GET", "/api/v1/files", nil, bearer(proven)...)
}

func TestKeyBundle(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	s.must(404, "GET", "/api/v1/keys/bundle", nil, a.headers...)
	s.must(204, "PUT", "/api/v1/keys/bundle", strings.NewReader("sealed"), a.headers...)
	if got := s.call("GET", "/api/v1/keys/bundle", nil, a.headers...); string(got.body) != "sealed" {
		t.Errorf("got %q", got.body)
	}
	s.must(413, "PUT", "/api/v1/keys/bundle", bytes.NewReader(make([]byte, 1<<16+1)), a.headers...)
}

// Each of these gets its status and a message that names the field.
func TestBadInput(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.MaxPacket = 64 << 10 })
	a := s.account("alice")
	packet := func(member string, value any) m {
		body := m{"client_id": a.id, "filename": "q", "encrypted_data": "AAAA", "original_size": 1, "packet_number": 1, "total_packets": 1}
		body[member] = value
		return body
	}
	register := "/api/v1/auth/register"
	upload, verify := "/api/v1/files/upload", "/api/v1/files/verify"
	begun := s.must(201, "POST", "/api/v1/uploads", m{"filename": "q", "total_packets": 3}, a.headers...)
	packets := "/api/v1/uploads/" + begun["upload_id"].(string) + "/packets/"
	tests := []struct {
		name, method, path string
		body               any
		status             int
		message            string
	}{
		{"no body", "POST", register, m(nil), 400, "body"},
		{"wrong type", "POST", register, m{"username": 1, "client_type": "web_client"}, 400, "username"},
		{"no username", "POST", register, m{"client_type": "web_client"}, 400, "username"},
		{"client type", "POST", register, m{"username": "x", "client_type": "toaster"}, 400, "client_type"},
		{"dots in a username", "POST", register, m{"username": "..", "client_type": "web_client"}, 400, "username"},
		{"long password", "POST", register, m{"username": "x", "client_type": "web_client", "password": strings.Repeat("é", 1000)}, 400, "password"},
		{"deep", "POST", register, m{"x": deep(100)}, 400, "body: nested"},
		{"large", "POST", register, m{"username": strings.Repeat("x", 1<<17)}, 413, "body"},
		{"taken", "POST", register, m{"username": "alice", "client_type": "web_client"}, 409, "username"},
		{"key that is no base64", "POST", "/api/v1/keys/public", m{"public_key_der": "@"}, 400, "public_key_der"},
		{"key that is no key", "POST", "/api/v1/keys/public", m{"public_key_der": "AAAA"}, 400, "public_key_der"},
		{"packet 0", "POST", upload, packet("packet_number", 0), 400, "packet_number"},
		{"packet 5 of 3", "POST", upload, packet("packet_number", 5), 400, "packet_number"},
		{"total 0", "POST", upload, packet("total_packets", 0), 400, "total_packets"},
		{"total beyond count", "POST", upload, packet("total_packets", 1<<40), 400, "total_packets"},
		{"total of a billion", "POST", upload, packet("total_packets", 1_000_000_000), 400, "total packets"},
		{"total of more than there is", "POST", "/api/v1/uploads", m{"filename": "q", "original_size": 15, "total_packets": 17}, 400, "total packets"},
		{"negative size", "POST", upload, packet("original_size", -1), 400, "original_size"},
		{"sizes that do not add up", "POST", upload, packet("original_size", 1<<40), 400, "sizes do not add up"},
		{"dots", "POST", upload, packet("filename", "../x"), 400, "filename"},
		{"NUL", "POST", upload, packet("filename", "a\x00b"), 400, "filename"},
		{"no name", "POST", upload, packet("filename", ""), 400, "filename"},
		{"another's id", "POST", upload, packet("client_id", "6f1c7a52-0b0e-4f0d-9d3c-0c4d1c9a7b21"), 400, "client_id"},
		{"bad base64", "POST", upload, packet("encrypted_data", "AAAA@@@@"), 400, "encrypted_data: not base64 at character 4"},
		{"packet over the limit", "POST", upload, packet("encrypted_data", base64.StdEncoding.EncodeToString(make([]byte, 65<<10))), 413, "packet"},
		{"checksum that is no number", "POST", verify, m{"filename": "q", "client_crc": "abc"}, 400, "client_crc"},
		{"checksum that is too large", "POST", verify, m{"filename": "q", "client_crc": "9999999999"}, 400, "client_crc"},
		{"verify what is not there", "POST", verify, m{"filename": "nope", "client_crc": "1"}, 404, "no such upload"},
		{"raw packet 0", "PUT", packets + "0", strings.NewReader("x"), 400, "n: "},
		{"raw packet of no number", "PUT", packets + "x", strings.NewReader("x"), 400, "n: "},
		{"raw packet 5 of 3", "PUT", packets + "5", strings.NewReader("x"), 400, "packet number"},
		{"raw packet over the limit", "PUT", packets + "1", bytes.NewReader(make([]byte, 1<<17)), 413, "packet"},
		{"raw packet over the limit, of unknown length", "PUT", packets + "1", struct{ *bytes.Reader }{bytes.NewReader(make([]byte, 1<<17))}, 413, "packet"},
		{"no such upload", "GET", "/api/v1/uploads/" + strings.Repeat("0", 32), nil, 404, "no such upload"},
		{"no upload id", "GET", "/api/v1/uploads/x", nil, 400, "upload_id"},
		{"limit 0", "GET", "/api/v1/files?limit=0", nil, 400, "limit"},
		{"limit of no number", "GET", "/api/v1/files?limit=x", nil, 400, "limit"},
		{"version 0", "GET", "/api/v1/files/q?version=0", nil, 400, "version"},
		{"nowhere", "GET", "/api/v1/nope", nil, 404, "path"},
		{"nobody deletes that", "DELETE", "/api/v1/status", nil, 405, "method"},
	}
	for _, test := range tests {
		got := s.call(test.method, test.path, test.body, a.headers...)
		message := ""
		if strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
			message, _ = got.json(t)["message"].(string)
		}
		if got.status != test.status || !strings.Contains(message, test.message) {
			t.Errorf("%s: %d %s, want %d with %q", test.name, got.status, got.body, test.status, test.message)
		}
	}
	for _, raw := range []struct {
		name, contentType, body string
		status                  int
		message                 string
	}{
		{"nothing", "application/json", "", 400, "body: missing"},
		{"half", "application/json", `{"username":`, 400, "body: not JSON"},
		{"more", "application/json", `{} {}`, 400, "body: more"},
		{"twice", "application/json", `{"username":"a","username":"b","client_type":"web_client"}`, 400, "username: given twice"},
		{"twice, in capitals", "application/json", `{"username":"a","client_type":"web_client","CLIENT_TYPE":"toaster"}`, 400, "CLIENT_TYPE: must be written client_type"},
		{"in capitals that fold", "application/json", `{"username":"a","client_type":"web_client","pa\u017fsword":"b"}`, 400, "must be written password"},
		{"another type", "text/plain", `{}`, 415, "Content-Type"},
		{"no type", "", `{}`, 415, "Content-Type"},
	} {
		got := s.call("POST", register, strings.NewReader(raw.body), "Content-Type", raw.contentType)
		if message, _ := got.json(t)["message"].(string); got.status != raw.status || !strings.Contains(message, raw.message) {
			t.Errorf("%s: %d %s", raw.name, got.status, got.body)
		}
	}
}

func deep(n int) any {
	if n == 0 {
		return 1
	}
	return []any{deep(n - 1)}
}

func TestMethods(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	if got := s.call("OPTIONS", "/api/v1/files/x", nil); got.status != 204 || strings.Join(got.header.Values("Allow"), ",") != "GET,HEAD,DELETE,OPTIONS" {
		t.Errorf("OPTIONS: %d, Allow %q", got.status, got.header.Values("Allow"))
	}
	got := s.call("OPTIONS", "/api/v1/files", nil, "Origin", "https://example.org", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if allowed := got.header.Values("Access-Control-Allow-Origin"); len(allowed) != 0 {
		t.Errorf("preflight from a page that nobody named: %d %v", got.status, got.header)
	}
	if got := s.call("HEAD", "/api/v1/status", nil); got.status != 200 || len(got.body) != 0 {
		t.Errorf("HEAD: %d", got.status)
	}
	if got := s.call("GET", "/healthz", nil, "X-Request-ID", "my-own.id"); got.header.Get("X-Request-ID") != "my-own.id" {
		t.Error("a request id must be kept")
	}
	if got := s.call("GET", "/docs/problems", nil); !bytes.Contains(got.body, []byte(`id="not-found"`)) {
		t.Error("the page of problems lacks one")
	}
	if got := s.call("GET", "/docs", nil); !bytes.Contains(got.body, []byte(`/api/v1/files/{filename}/content`)) {
		t.Error("the docs lack a call")
	}
	if got := s.call("GET", "/metrics", nil); !bytes.Contains(got.body, []byte(`route="/api/v1/status"`)) {
		t.Errorf("metrics: %s", got.body)
	}
}

func TestRateLimits(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.AuthRate = api.Rate{PerSecond: 0.1, Burst: 2} })
	for range 2 {
		s.must(401, "POST", "/api/v1/auth/login", m{"username": "nobody"})
	}
	got := s.call("POST", "/api/v1/auth/login", m{"username": "nobody"})
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
}
