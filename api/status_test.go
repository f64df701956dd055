package api_test

import (
	"fmt"
	"testing"
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
