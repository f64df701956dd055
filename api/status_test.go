package api_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"coffer/api"
)

// The status has the figures that the core's console shows.
func TestStatus(t *testing.T) {
	c := startCore(t)
	s := startSite(t, c.addr, nil)
	a := s.account("alice")
	s.put(a, "f", []byte("content"))
	s.put(a, "f", []byte("more of it"))
	s.account("bob")
	if err := c.srv.Admin().SuspendClient(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	s.must(201, "POST", "/api/v1/uploads", m{"filename": "unfinished"}, a.headers...)
	got := s.must(200, "GET", "/api/v1/status", nil)
	now := c.srv.Admin().Stats(t.Context())
	for name, want := range map[string]int64{
		"clients_connected": int64(now.InSession), "total_registered": now.Clients, "connections": int64(now.Connections),
		"uploads": int64(now.Uploads), "files": now.Files, "versions": now.Versions, "versions_verified": now.Verified,
		"bytes_stored": now.Bytes, "clients_suspended": int64(now.Suspended), "disk_total": int64(now.DiskTotal),
	} {
		if got[name] != float64(want) {
			t.Errorf("%s is %v, the core says %d", name, got[name], want)
		}
	}
	if now.Verified != 2 || now.Suspended != 1 || now.Uploads != 1 || now.Clients != 2 {
		t.Errorf("the core says %+v", now)
	}
	for name, most := range map[string]uint64{"bytes_received": now.Received, "bytes_sent": now.Sent, "requests": now.Requests, "disk_free": now.DiskTotal} {
		if n, _ := got[name].(float64); n <= 0 || n > float64(most) { // they go on
			t.Errorf("%s is %v, later %d", name, got[name], most)
		}
	}
	if n, ok := got["failures"].(float64); !ok || n > float64(now.Failures) {
		t.Errorf("failures are %v, later %d", got["failures"], now.Failures)
	}
}

// A client that the operator suspends is refused over HTTP at once, whatever
// token it has, and served again when it is resumed.
func TestSuspended(t *testing.T) {
	c := startCore(t)
	s := startSite(t, c.addr, nil)
	a := s.account("alice")
	s.put(a, "f", []byte("content"))
	if err := c.srv.Admin().SuspendClient(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	for _, call := range [][2]string{{"GET", "/api/v1/files"}, {"GET", "/api/v1/files/f/content"}, {"DELETE", "/api/v1/files/f"}, {"GET", "/api/v1/uploads"}} {
		if got := s.call(call[0], call[1], nil, a.headers...); got.status != 403 {
			t.Errorf("%s: %d %s", fmt.Sprint(call), got.status, got.body)
		}
	}
	if got := s.call("POST", "/api/v1/auth/login", m{"username": "alice"}); got.status != 403 {
		t.Errorf("signing in: %d %s", got.status, got.body)
	}
	if err := c.srv.Admin().ResumeClient(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	s.must(200, "GET", "/api/v1/files", nil, a.headers...)
}

// Callers from networks that the operator did not name learn whether the server
// works, and nothing else.
func TestStatusNetworks(t *testing.T) {
	c := startCore(t)
	prefixes := func(texts ...string) (networks []netip.Prefix) {
		for _, text := range texts {
			networks = append(networks, netip.MustParsePrefix(text))
		}
		return networks
	}
	tests := []struct {
		name      string
		networks  []netip.Prefix
		forwarded string // by a proxy that is trusted
		shown     bool
	}{
		{"no setting", nil, "203.0.113.9", true},
		{"the network itself", prefixes("192.0.2.0/24", "198.51.100.7/32"), "198.51.100.7", true},
		{"another one", prefixes("192.0.2.0/24", "198.51.100.7/32"), "198.51.100.8", false},
		{"IPv4 in IPv6", prefixes("192.0.2.0/24"), "::ffff:192.0.2.1", true},
		{"IPv6", prefixes("2001:db8:1::/48"), "2001:db8:1:2::3", true},
		{"another IPv6", prefixes("2001:db8:1::/48"), "2001:db8:2::3", false},
		{"what the caller claims itself", prefixes("192.0.2.0/24"), "192.0.2.1, 203.0.113.9", false},
		{"nobody forwarded", prefixes("127.0.0.0/8"), "", true},
		{"the proxy itself is not enough", prefixes("127.0.0.0/8"), "203.0.113.9", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startSite(t, c.addr, func(cfg *api.Config) {
				cfg.TrustedProxies, cfg.StatusNetworks = prefixes("127.0.0.0/8"), test.networks
			})
			var headers []string
			if test.forwarded != "" {
				headers = []string{"X-Forwarded-For", test.forwarded}
			}
			status := s.must(200, "GET", "/api/v1/status", nil, headers...)
			if status["server_running"] != true || status["database"] != "operational" || status["storage"] != "operational" {
				t.Errorf("status: %v", status)
			}
			fields := slices.Sorted(maps.Keys(status))
			if minimal := []string{"database", "server_running", "storage"}; slices.Equal(fields, minimal) == test.shown {
				t.Errorf("the status has %v", fields)
			}
			want := 403
			if test.shown {
				want = 200
			}
			if got := s.call("GET", "/metrics", nil, headers...); got.status != want {
				t.Errorf("/metrics: %d %s", got.status, got.body)
			}
			// Probes come from anywhere.
			for _, path := range []string{"/healthz", "/readyz"} {
				if got := s.call("GET", path, nil, headers...); got.status != 200 {
					t.Errorf("%s: %d %s", path, got.status, got.body)
				}
			}
		})
	}
}
