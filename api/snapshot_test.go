package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/api"
)

var snapshotName = "s/" + strings.Repeat("0a", 16)

func runID(n byte) string {
	return base64.RawURLEncoding.EncodeToString(append(make([]byte, 15), n))
}

func packID(pack []byte) string {
	sum := sha256.Sum256(pack)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// commitPath is where a snapshot is committed whose head is "head".
func commitPath(run string, added, dropped int, more string) string {
	return fmt.Sprintf("/api/v1/snapshots?run_id=%s&name=%s&head_size=4&added=%d&dropped=%d%s", run, strings.ReplaceAll(snapshotName, "/", "%2F"), added, dropped, more)
}

func commitBody(manifest string, packs ...[]byte) *bytes.Reader {
	body := []byte("head")
	for _, p := range packs {
		sum := sha256.Sum256(p)
		body = append(body, sum[:]...)
	}
	return bytes.NewReader(append(body, manifest...))
}

// A snapshot over HTTP, from its run to a range of one of its packs.
func TestSnapshots(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	small, large := []byte("small"), random(3<<20)
	begun := s.must(201, "POST", "/api/v1/runs", m{"run_id": runID(1), "name": snapshotName}, a.headers...)
	if begun["newest"] != 0.0 || begun["max_pack"] != float64(32<<20) {
		t.Errorf("begun: %v", begun)
	}
	ask := func() []any {
		return s.must(200, "POST", "/api/v1/runs/"+runID(1)+"/packs/missing", m{"packs": []string{packID(small), packID(large)}}, a.headers...)["missing"].([]any)
	}
	if missing := ask(); len(missing) != 2 {
		t.Errorf("missing: %v", missing)
	}
	put := func(status int, id string, pack []byte) {
		t.Helper()
		s.must(status, "PUT", "/api/v1/packs/"+id+"?run_id="+runID(1), bytes.NewReader(pack), append(a.headers, "Content-Type", "application/octet-stream")...)
	}
	put(204, packID(small), small)
	put(204, packID(small), small)
	put(400, packID(small), large)
	if missing := s.must(200, "POST", commitPath(runID(1), 2, 0, ""), commitBody("manifest", small, large), a.headers...)["missing"].([]any); !slices.Equal(missing, []any{packID(large)}) {
		t.Errorf("missing: %v", missing)
	}
	put(204, packID(large), large)
	if missing := ask(); len(missing) != 0 {
		t.Errorf("missing: %v", missing)
	}
	if runs := s.must(200, "GET", "/api/v1/runs", nil, a.headers...)["runs"].([]any); len(runs) != 1 || runs[0].(m)["packs"] != 2.0 {
		t.Errorf("runs: %v", runs)
	}
	for range 2 { // repeated, it is answered as before
		if got := s.must(201, "POST", commitPath(runID(1), 2, 0, ""), commitBody("manifest", small, large), a.headers...); got["version"] != 1.0 {
			t.Errorf("committed: %v", got)
		}
	}

	s.must(201, "POST", "/api/v1/runs", m{"run_id": runID(2), "name": snapshotName, "base": 1}, a.headers...)
	s.must(409, "POST", commitPath(runID(2), 0, 1, "&base=1"), commitBody("second", small), a.headers...)
	s.must(201, "POST", commitPath(runID(2), 0, 1, "&base=1&before=1"), commitBody("second", small), a.headers...)
	first := s.must(200, "GET", "/api/v1/snapshots?all=true&limit=1", nil, a.headers...)
	second := s.must(200, "GET", first["next"].(string), nil, a.headers...)
	for i, page := range []m{first, second} {
		one := page["snapshots"].([]any)[0].(m)
		if one["file"].(m)["version"] != float64(2-i) || one["packs"] != float64(i+1) || one["head"] != base64.StdEncoding.EncodeToString([]byte("head")) || one["file"].(m)["format"] != "snapshot" {
			t.Errorf("listed: %v", one)
		}
	}
	if second["next"] != nil {
		t.Errorf("a page after the last: %v", second["next"])
	}

	content := s.call("GET", "/api/v1/files/"+strings.ReplaceAll(snapshotName, "/", "%2F")+"/content", nil, a.headers...)
	if string(content.body) != "second" {
		t.Errorf("manifest: %q", content.body)
	}
	got := s.call("GET", "/api/v1/packs/"+packID(large), nil, append(a.headers, "Range", "bytes=1000000-2500000")...)
	if got.status != 206 || !bytes.Equal(got.body, large[1_000_000:2_500_001]) {
		t.Errorf("a range: %d, %d bytes", got.status, len(got.body))
	}
	if got := s.call("GET", "/api/v1/packs/"+packID(large), nil, a.headers...); got.status != 200 || !bytes.Equal(got.body, large) {
		t.Errorf("a pack: %d, %d bytes", got.status, len(got.body))
	}
	if got := s.call("GET", "/api/v1/packs/"+packID(large), nil, append(a.headers, "If-None-Match", `"`+packID(large)+`"`)...); got.status != 304 {
		t.Errorf("what the caller has: %d", got.status)
	}
	for _, rule := range []struct {
		name, value string
		status      int
	}{
		{"Range", "bytes=-0", 416}, {"Range", "lines=0-3", 200}, {"Range", "Bytes=0-3", 206}, {"Range", "bytes=1-99999999999999999999", 206},
		{"If-Match", `"another"`, 412}, {"If-Match", `"` + packID(small) + `"`, 200}, {"If-None-Match", `"another", W/"` + packID(small) + `"`, 304},
		{"Accept-Encoding", "gzip", 200},
	} {
		got := s.call("GET", "/api/v1/packs/"+packID(small), nil, append(a.headers, rule.name, rule.value)...)
		if got.status != rule.status || got.header.Get("Content-Encoding") != "" || (got.header.Get("Cache-Control") != "") != (rule.status < 400) {
			t.Errorf("%s: %s: %d %v", rule.name, rule.value, got.status, got.header)
		}
		if rule.status >= 400 && !strings.HasPrefix(got.json(t)["type"].(string), "/docs/problems#") {
			t.Errorf("%s: %s: %s", rule.name, rule.value, got.body)
		}
	}
	s.must(404, "GET", "/api/v1/packs/"+packID([]byte("none")), nil, a.headers...)
	s.must(404, "GET", "/api/v1/packs/"+packID(large), nil, s.account("bob").headers...)
}

func TestSnapshotsRefused(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.MaxSpool = 1 << 20 })
	a := s.account("alice")
	s.must(400, "POST", "/api/v1/runs", m{"run_id": runID(1), "name": "photos"}, a.headers...)
	s.must(400, "POST", "/api/v1/runs", m{"run_id": "short", "name": snapshotName}, a.headers...)
	s.must(404, "POST", "/api/v1/runs", m{"run_id": runID(1), "name": snapshotName, "base": 3}, a.headers...)
	s.must(201, "POST", "/api/v1/runs", m{"run_id": runID(1), "name": snapshotName}, a.headers...)
	octets := append(a.headers, "Content-Type", "application/octet-stream")
	put := func(query string, pack []byte) answer {
		return s.call("PUT", "/api/v1/packs/"+packID(pack)+query, bytes.NewReader(pack), octets...)
	}
	for name, tt := range map[string]struct {
		got    answer
		status int
	}{
		"no run":           {put("", []byte("x")), 400},
		"another run":      {put("?run_id="+runID(2), []byte("x")), 404},
		"an empty pack":    {put("?run_id="+runID(1), nil), 400},
		"too large":        {put("?run_id="+runID(1), make([]byte, 32<<20+1)), 413},
		"no room to spool": {put("?run_id="+runID(1), random(2<<20)), 503},
		"no manifest":      {s.call("POST", commitPath(runID(1), 0, 0, ""), commitBody(""), octets...), 400},
		"fewer ids":        {s.call("POST", commitPath(runID(1), 1, 0, ""), commitBody("manifest"), octets...), 400},
	} {
		if tt.got.status != tt.status {
			t.Errorf("%s: %d %s, want %d", name, tt.got.status, tt.got.body, tt.status)
		}
	}
	s.must(204, "DELETE", "/api/v1/runs/"+runID(1), nil, a.headers...)
	s.must(404, "POST", commitPath(runID(1), 0, 0, ""), commitBody("manifest"), octets...)
	s.must(403, "POST", "/api/v1/uploads", m{"filename": snapshotName}, a.headers...)
}
