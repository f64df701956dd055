package api_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"coffer/api"
)

func TestWebClient(t *testing.T) {
	script := strings.Repeat("console.log('hello');\n", 1000)
	client := fstest.MapFS{
		"index.html":      {Data: []byte("<!doctype html><title>Coffer</title>")},
		"icon.svg":        {Data: []byte("<svg/>")},
		"assets/a-1.js":   {Data: []byte(script)},
		"assets/b-2.wasm": {Data: []byte("\x00asm")},
		".keep":           {Data: []byte("x")},
	}
	s := startSite(t, "127.0.0.1:1", func(cfg *api.Config) { cfg.Web = client })
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	tests := []struct {
		method, path, accept string
		status               int
		contentType, cache   string
	}{
		{"GET", "/", "*/*", 200, "text/html; charset=utf-8", "no-cache"},
		{"HEAD", "/", "*/*", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/files", browser, 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/files/a/b.txt", browser, 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/icon.svg", "*/*", 200, "image/svg+xml", "no-cache"},
		{"GET", "/assets/a-1.js", "*/*", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"GET", "/assets/b-2.wasm", "*/*", 200, "application/wasm", "public, max-age=31536000, immutable"},
		{"GET", "/assets/gone-3.js", browser, 404, "application/problem+json", "no-store"},
		{"GET", "/files", "application/json", 404, "application/problem+json", "no-store"},
		{"GET", "/api/v1/nope", browser, 404, "application/problem+json", "no-store"},
		{"GET", "/docs/nope", browser, 404, "application/problem+json", "no-store"},
		{"GET", "/.keep", "*/*", 404, "application/problem+json", "no-store"},
		{"GET", "/..%2findex.html", "*/*", 404, "application/problem+json", "no-store"},
		{"POST", "/", browser, 404, "application/problem+json", "no-store"},
	}
	for _, test := range tests {
		got := s.call(test.method, test.path, nil, "Accept", test.accept)
		if got.status != test.status || got.header.Get("Content-Type") != test.contentType || got.header.Get("Cache-Control") != test.cache {
			t.Errorf("%s %s: %d %v", test.method, test.path, got.status, got.header)
		}
		policy := got.header.Get("Content-Security-Policy")
		if test.status == 200 && (!strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "script-src 'self' 'unsafe-inline'")) {
			t.Errorf("%s %s: policy %q", test.method, test.path, policy)
		}
	}

	first := s.call("GET", "/assets/a-1.js", nil)
	if again := s.call("GET", "/assets/a-1.js", nil, "If-None-Match", first.header.Get("ETag")); again.status != 304 {
		t.Errorf("what the browser has: %d", again.status)
	}
	zipped := s.call("GET", "/assets/a-1.js", nil, "Accept-Encoding", "gzip", "Range", "bytes=0-9")
	r, err := gzip.NewReader(strings.NewReader(string(zipped.body)))
	if err != nil || zipped.status != http.StatusOK || len(zipped.body) > len(script)/10 {
		t.Fatalf("compressed: %d, %d bytes, %v", zipped.status, len(zipped.body), err)
	}
	if plain, err := io.ReadAll(r); err != nil || string(plain) != script {
		t.Errorf("compressed: %d bytes come out, %v", len(plain), err)
	}
}

// A gateway without a built client serves the API, and says what to do.
func TestWebClientUnbuilt(t *testing.T) {
	for name, client := range map[string]fstest.MapFS{"none": nil, "not built": {".keep": {}}} {
		s := startSite(t, startCore(t).addr, func(cfg *api.Config) {
			if client != nil {
				cfg.Web = client
			}
		})
		if got := s.call("GET", "/", nil); got.status != 200 || !strings.Contains(string(got.body), "make web") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		s.must(200, "GET", "/api/v1/status", nil)
	}
}
