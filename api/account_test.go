package api_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"coffer/api"
)

// withPassword registers an account with a password and signs in with it.
func (s *site) withPassword(name, password string) (id string, headers []string) {
	s.t.Helper()
	id, _ = s.must(201, "POST", "/api/v1/auth/register", m{"username": name, "client_type": "web_client", "password": password})["client_id"].(string)
	return id, s.signIn(m{"username": name, "password": password})
}

// signIn signs in and returns the header that shows it.
func (s *site) signIn(login m) []string {
	s.t.Helper()
	token, _ := s.must(200, "POST", "/api/v1/auth/login", login)["session_token"].(string)
	return bearer(token)
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func encode(bundle string) string { return base64.StdEncoding.EncodeToString([]byte(bundle)) }

func TestAccount(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	s.put(a, "one", []byte("1"))
	s.put(a, "one", []byte("2"))
	s.must(201, "POST", "/api/v1/uploads", m{"filename": "f"}, a.headers...)
	got := s.must(200, "GET", "/api/v1/account", nil, a.headers...)
	want := m{"username": "alice", "files": 1.0, "versions": 2.0, "bytes": 32.0, "uploads": 1.0,
		"key_bits": 1024.0, "has_password": false, "has_bundle": false, "keep_versions": 5.0}
	for member, want := range want {
		if got[member] != want {
			t.Errorf("%s: %v, want %v", member, got[member], want)
		}
	}
	_, b := s.withPassword("bob", "secret")
	s.must(204, "PUT", "/api/v1/keys/bundle", strings.NewReader("keys"), b...)
	if got := s.must(200, "GET", "/api/v1/account", nil, b...); got["has_password"] != true || got["has_bundle"] != true || got["key_bits"] != 0.0 {
		t.Errorf("with a password: %v", got)
	}
}

func TestFormats(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	for _, format := range []string{"unknown", "file", "sealed_file", "folder", "sealed_folder"} {
		begun := s.must(201, "POST", "/api/v1/uploads", m{"filename": format, "format": format}, a.headers...)
		path := "/api/v1/uploads/" + begun["upload_id"].(string)
		s.must(200, "PUT", path+"/packets/1?last=true", bytes.NewReader(a.sealed(t, begun, nil)), a.headers...)
		s.must(200, "POST", path+"/verify", m{"client_crc": checksum(nil)}, a.headers...)
		if got := s.must(200, "GET", "/api/v1/files/"+format, nil, a.headers...)["file"].(m)["format"]; got != format {
			t.Errorf("%s came back as %v", format, got)
		}
	}
	s.must(400, "POST", "/api/v1/uploads", m{"filename": "f", "format": "zip"}, a.headers...)
}

func TestSignOutEverywhere(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	_, first := s.withPassword("bob", "secret")
	second := s.signIn(m{"username": "bob", "password": "secret"})
	_, other := s.withPassword("carol", "secret")
	s.must(204, "POST", "/api/v1/auth/logout?everywhere=true", nil, second...)
	for _, dead := range [][]string{first, second} {
		s.must(401, "GET", "/api/v1/account", nil, dead...)
	}
	s.must(200, "GET", "/api/v1/account", nil, other...)
	third := s.signIn(m{"username": "bob", "password": "secret"})
	s.must(200, "GET", "/api/v1/account", nil, third...)

	a := s.account("alice")
	s.must(401, "POST", "/api/v1/auth/logout?everywhere=true", nil, bearer(a.token)...) // whose, is not shown
	s.must(204, "POST", "/api/v1/auth/logout?everywhere=true", nil, a.headers...)
	s.must(401, "GET", "/api/v1/account", nil, a.headers...)
}

func TestSetPassphrase(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	_, b := s.withPassword("bob", "secret")
	s.must(204, "PUT", "/api/v1/keys/bundle", strings.NewReader("old keys"), b...)
	elsewhere := s.signIn(m{"username": "bob", "password": "secret"})
	path := "/api/v1/account/passphrase"
	change := func(current, password, bundle string) m {
		return m{"current_password": current, "password": password, "key_bundle": bundle}
	}
	for _, bad := range []struct {
		body    m
		status  int
		message string
	}{
		{change("wrong", "another", encode("new keys")), 403, "current_password: wrong"},
		{change("", "another", encode("new keys")), 400, "current_password"},
		{change("secret", "", encode("new keys")), 400, "password"},
		{change("secret", "another", ""), 400, "key_bundle"},
		{change("secret", "another", "@@@@"), 400, "key_bundle: not base64"},
		{change("secret", "another", encode(strings.Repeat("x", 1<<16+1))), 413, "key_bundle: larger than 65536 bytes"},
		{m{"password": "another", "key_bundle": encode("new keys")}, 400, "current_password"},
	} {
		got := s.call("PUT", path, bad.body, b...)
		if message, _ := got.json(t)["message"].(string); got.status != bad.status || !strings.Contains(message, bad.message) {
			t.Errorf("%d %s, want %d %s", got.status, got.body, bad.status, bad.message)
		}
	}
	a := s.account("alice")
	s.must(403, "PUT", path, change("secret", "another", encode("k")), a.headers...)
	byID := s.signIn(m{"username": "alice", "client_id": a.id})
	s.must(403, "PUT", path, change("secret", "another", encode("k")), byID...)

	fresh, _ := s.must(200, "PUT", path, change("secret", "another", encode("new keys")), b...)["session_token"].(string)
	for _, dead := range [][]string{b, elsewhere} {
		s.must(401, "GET", "/api/v1/account", nil, dead...)
	}
	s.must(401, "POST", "/api/v1/auth/login", m{"username": "bob", "password": "secret"})
	for _, alive := range [][]string{bearer(fresh), s.signIn(m{"username": "bob", "password": "another"})} {
		if got := s.call("GET", "/api/v1/keys/bundle", nil, alive...); string(got.body) != "new keys" {
			t.Errorf("the bundle: %d %s", got.status, got.body)
		}
	}
}

func TestRemoveAccount(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	path := "/api/v1/account/remove"
	_, b := s.withPassword("bob", "secret")
	for _, body := range []m{{}, {"password": "wrong"}} {
		got := s.call("POST", path, body, b...)
		if got.status != 403 || got.json(t)["message"] != "password: wrong" {
			t.Errorf("%v: %d %s", body, got.status, got.body)
		}
	}
	s.must(204, "POST", path, m{"password": "secret"}, b...)
	s.must(401, "GET", "/api/v1/account", nil, b...)
	s.must(401, "POST", "/api/v1/auth/login", m{"username": "bob", "password": "secret"})

	a := s.account("alice")
	s.put(a, "f", []byte("x"))
	s.must(403, "POST", path, m{}, a.headers...) // the token only says who one claims to be
	s.must(204, "POST", path, m{}, s.signIn(m{"username": "alice", "client_id": a.id})...)
	s.must(401, "GET", "/api/v1/files", nil, a.headers...)
	again := s.account("alice")
	if files := s.must(200, "GET", "/api/v1/files", nil, again.headers...)["files"].([]any); len(files) != 0 {
		t.Errorf("the next alice finds %v", files)
	}
}

// Passwords cannot be tried faster where they are changed than at the sign-in.
func TestPasswordTriesAreLimited(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.AuthRate = api.Rate{PerSecond: 0.001, Burst: 4} })
	_, b := s.withPassword("bob", "secret")
	// From where a sign-in succeeded there are four, whatever others do.
	for range 3 {
		s.must(403, "POST", "/api/v1/account/remove", m{"password": "wrong"}, b...)
	}
	s.must(403, "PUT", "/api/v1/account/passphrase", m{"current_password": "wrong", "password": "x", "key_bundle": encode("k")}, b...)
	got := s.call("POST", "/api/v1/account/remove", m{"password": "secret"}, b...)
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
