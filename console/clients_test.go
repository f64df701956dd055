package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"coffer/client"
	"coffer/console"
	"coffer/console/contract"
	"coffer/protocol"
	"coffer/server"
)

func TestClients(t *testing.T) {
	s := startSite(t, nil)
	for _, name := range []string{"alice", "bob/50% of it?", "caro"} {
		s.person(name)
	}
	bob := s.person("bobby")
	bob.put("one", []byte("1"))
	bob.put("two", []byte("2"))
	bob.put("two", []byte("22"))

	list := get[contract.ClientList](s, "/api/clients?search=BOB&sort=bytes&descending=true&limit=1")
	if list.Total != 2 || len(list.Clients) != 1 || list.Clients[0].Name != "bobby" || list.Clients[0].KeyBits != 1024 || list.Clients[0].KeyKind != "RSA" {
		t.Fatalf("%+v", list)
	}
	fingerprint := list.Clients[0].Fingerprint
	if list := get[contract.ClientList](s, "/api/clients?search="+fingerprint[:6]); list.Total != 1 || list.Clients[0].Name != "bobby" {
		t.Errorf("by its fingerprint: %+v", list)
	}
	if list := get[contract.ClientList](s, "/api/clients?offset=3"); list.Total != 4 || len(list.Clients) != 1 || list.Clients[0].Name != "caro" {
		t.Errorf("the last: %+v", list)
	}
	one := get[contract.Client](s, "/api/clients/"+url.PathEscape("bob/50% of it?"))
	if one.Name != "bob/50% of it?" || !one.Session || one.SessionEnds == nil || one.Suspended {
		t.Errorf("%+v", one)
	}
	for _, path := range []string{"/api/clients", "/api/clients/bobby", "/api/storage", "/api/activities", "/api/logs?level=debug"} {
		body := string(s.must(200, "GET", path, nil).body)
		if strings.Contains(body, fmt.Sprintf("%x", [16]byte(bob.id))) {
			t.Errorf("%s tells a client id", path)
		}
	}

	first := get[contract.FileList](s, "/api/clients/bobby/files?limit=2")
	if len(first.Files) != 2 || first.Files[1].Name != "two" || first.Files[1].Version != 2 || first.Next == nil || first.Files[1].OriginalBytes != 2 {
		t.Fatalf("%+v", first)
	}
	rest := get[contract.FileList](s, "/api/clients/bobby/files?limit=2&after="+url.QueryEscape(*first.Next))
	if len(rest.Files) != 1 || rest.Files[0].Version != 1 || rest.Next != nil {
		t.Errorf("%+v", rest)
	}
	s.must(400, "GET", "/api/clients/bobby/files?after=nonsense", nil)
	s.must(404, "GET", "/api/clients/nobody/files", nil)
	s.must(404, "GET", "/api/clients/nobody", nil)
	s.must(404, "POST", "/api/clients/nobody/suspend", nil)
	s.must(404, "POST", "/api/clients/nobody/end-session", nil)
	s.must(404, "DELETE", "/api/clients/nobody?confirm=nobody", nil)
}

// An account whose name looks like that of an account beside it is marked
// wherever it is named.
func TestLookalikeClients(t *testing.T) {
	s := startSite(t, nil)
	s.person("modern")
	fake := s.person("modem")
	fake.put("x", []byte("x"))
	s.person("caro")
	for _, one := range get[contract.ClientList](s, "/api/clients").Clients {
		want := map[string]string{"modern": "modem", "modem": "modern"}[one.Name]
		if (one.LooksLike == nil) != (want == "") || want != "" && *one.LooksLike != want {
			t.Errorf("%q is marked %v, want %q", one.Name, one.LooksLike, want)
		}
	}
	if one := get[contract.Client](s, "/api/clients/"+url.PathEscape("modem")); one.LooksLike == nil || *one.LooksLike != "modern" {
		t.Errorf("%+v", one)
	}
	uploads := get[contract.ActivityList](s, "/api/activities?kind=upload").Activities
	if len(uploads) != 1 || uploads[0].Client.LooksLike == nil || *uploads[0].Client.LooksLike != "modern" {
		t.Errorf("activities %+v", uploads)
	}
}

// Base requests are refused from the moment they are closed, on the connection
// that there is, and taken again.
func TestBaseAccess(t *testing.T) {
	s := startSite(t, nil)
	s.must(404, "POST", "/api/clients/nobody/close-base", nil)
	s.person("alice")
	if one := get[contract.Client](s, "/api/clients/alice"); !one.BaseOpen {
		t.Error("registered on the wire, and closed")
	}
	s.must(204, "POST", "/api/clients/alice/close-base", nil)
	if one := get[contract.Client](s, "/api/clients/alice"); one.BaseOpen {
		t.Error("closed, and open")
	}
	s.must(204, "POST", "/api/clients/alice/open-base", nil)
	if one := get[contract.Client](s, "/api/clients/alice"); !one.BaseOpen {
		t.Error("opened, and closed")
	}
	list := get[contract.ActivityList](s, "/api/activities?client=alice&kind=access")
	if len(list.Activities) != 2 {
		t.Errorf("%d activities", len(list.Activities))
	}
}

// A suspended client is refused at once, on the connection that it has.
func TestSuspend(t *testing.T) {
	s := startSite(t, nil)
	alice := s.person("alice")
	alice.put("before", []byte("x"))
	s.must(204, "POST", "/api/clients/alice/suspend", nil)
	if _, err := alice.conn.GetAccount(t.Context(), alice.id); !client.IsStatus(err, protocol.StatusForbidden) {
		t.Errorf("a suspended client: %v", err)
	}
	if one := get[contract.Client](s, "/api/clients/alice"); !one.Suspended {
		t.Errorf("%+v", one)
	}
	s.must(204, "POST", "/api/clients/alice/resume", nil)
	alice.put("after", []byte("x"))

	s.must(204, "POST", "/api/clients/alice/end-session", nil)
	if one := get[contract.Client](s, "/api/clients/alice"); one.Session {
		t.Errorf("%+v", one)
	}
	list := get[contract.ActivityList](s, "/api/activities?client=alice&kind=suspended&kind=resumed&kind=session_ended")
	if len(list.Activities) != 3 {
		t.Errorf("%+v", list)
	}
}

func TestRemoveClient(t *testing.T) {
	s := startSite(t, nil)
	s.person("alice").put("x", []byte("x"))
	s.must(400, "DELETE", "/api/clients/alice", nil)
	s.must(400, "DELETE", "/api/clients/alice?confirm=Alice", nil)
	s.must(204, "DELETE", "/api/clients/alice?confirm=alice", nil)
	s.must(404, "GET", "/api/clients/alice", nil)
	if stats := get[contract.Stats](s, "/api/stats"); stats.Clients != 0 || stats.Files != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestSettings(t *testing.T) {
	s := startSite(t, nil)
	setting := func(name string) contract.Setting {
		t.Helper()
		for _, one := range get[contract.SettingList](s, "/api/settings").Settings {
			if one.Name == name {
				return one
			}
		}
		t.Fatalf("there is no %s", name)
		return contract.Setting{}
	}
	if one := setting("session-ttl"); one.Value != "10m" || one.Configured != "10m" || one.Origin != contract.SettingOriginDefault || !one.Changeable {
		t.Errorf("%+v", one)
	}
	if one := setting("master-key"); one.Value != "set" || !one.Secret || one.Changeable {
		t.Errorf("%+v", one)
	}
	change := func(status int, set map[string]string, reset ...string) answer {
		t.Helper()
		body := map[string]any{}
		if set != nil {
			body["set"] = set
		}
		if reset != nil {
			body["reset"] = reset
		}
		return s.must(status, "PATCH", "/api/settings", body)
	}
	change(200, map[string]string{"session-ttl": "90m", "log-level": "warn", "scrub-rate": "1536KiB"})
	if one := setting("session-ttl"); one.Value != "1h30m" || one.Configured != "10m" || one.Origin != contract.SettingOriginConsole {
		t.Errorf("%+v", one)
	}
	if one := setting("scrub-rate"); one.Value != "1536KiB" || one.Configured != "32MiB" {
		t.Errorf("%+v", one)
	}
	at := s.records.Last()
	s.log.Info("not any more")
	s.log.Warn("still")
	if kept := s.records.Before(0, 10, console.LogFilter{}); s.records.Last() != at+1 || kept[0].Message != "still" {
		t.Errorf("at the level warn: %+v", kept[0])
	}
	for _, wrong := range []struct {
		set   map[string]string
		reset []string
		field string
	}{
		{set: map[string]string{"session-ttl": "soon"}, field: "session-ttl"},
		{set: map[string]string{"session-ttl": "-1s"}, field: "session-ttl"},
		{set: map[string]string{"log-level": "loud"}, field: "log-level"},
		{set: map[string]string{"keep-versions": "-1"}, field: "keep-versions"},
		{set: map[string]string{"registration": "ajar"}, field: "registration"},
		{set: map[string]string{"scrub-rate": "1"}, field: "scrub-rate"},
		{set: map[string]string{"scrub-rate": "1EiB"}, field: "scrub-rate"},
		{set: map[string]string{"data": "/tmp"}, field: "data"},
		{set: map[string]string{"session-ttl": "5m"}, reset: []string{"session-ttl"}, field: "session-ttl"},
		{reset: []string{"listen"}, field: "listen"},
		// All of them, or none.
		{set: map[string]string{"upload-ttl": "1h", "max-connections": "0"}, field: "max-connections"},
	} {
		p := decode[contract.Problem](t, change(400, wrong.set, wrong.reset...))
		if p.Field == nil || *p.Field != wrong.field {
			t.Errorf("%+v: %+v", wrong, p)
		}
	}
	if s.core.Settings().UploadTTL == 3600e9 {
		t.Error("a part of a change was made")
	}
	change(200, nil, "session-ttl", "log-level", "scrub-rate")
	if one := setting("session-ttl"); one.Value != "10m" || one.Origin != contract.SettingOriginDefault {
		t.Errorf("%+v", one)
	}
	s.must(415, "PATCH", "/api/settings", map[string]any{}, "Content-Type", "text/plain")
	s.must(400, "PATCH", "/api/settings", map[string]any{"sets": map[string]string{}})
}

func TestBackups(t *testing.T) {
	s := startSite(t, nil)
	s.person("alice")
	made := decode[contract.Backup](t, s.must(201, "POST", "/api/backups", nil))
	list := get[contract.BackupList](s, "/api/backups")
	if len(list.Backups) != 1 || list.Backups[0] != made || made.Bytes == 0 {
		t.Fatalf("%+v, made %+v", list, made)
	}
	got := s.must(200, "GET", "/api/backups/"+made.Name, nil)
	if int64(len(got.body)) != made.Bytes || !strings.HasPrefix(string(got.body), "SQLite format 3\x00") || !strings.Contains(got.header.Get("Content-Disposition"), made.Name) {
		t.Errorf("%d bytes, %v", len(got.body), got.header)
	}
	for _, name := range []string{"..%2Fdefensive.db", "defensive.db", "catalog-20060102T150405.000Z.db", "%2E%2E", strings.Repeat("x", 101)} {
		for _, method := range []string{"GET", "DELETE"} {
			if got := s.call(method, "/api/backups/"+name, nil); got.status != 404 && got.status != 400 {
				t.Errorf("%s %s: %d", method, name, got.status)
			}
		}
	}
	s.must(204, "DELETE", "/api/backups/"+made.Name, nil)
	s.must(404, "GET", "/api/backups/"+made.Name, nil)

	none := startSite(t, func(core *server.Config, _ *console.Config) { core.BackupDir = "" })
	none.must(409, "POST", "/api/backups", nil)
}

// A failed base request is shown field by field.
func TestFailures(t *testing.T) {
	s := startSite(t, nil)
	s.person("alice")
	conn, err := client.Dial(t.Context(), s.clients, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Register(t.Context(), "alice"); err == nil {
		t.Fatal("two clients have one name")
	}
	list := get[contract.FailureList](s, "/api/failures")
	if len(list.Failures) != 1 || !strings.Contains(list.Failures[0].Request, "1025") || len(list.Failures[0].Fields) < 5 ||
		!strings.Contains(list.Failures[0].Fields[4].Meaning, "alice") || list.Failures[0].Usually == "" {
		t.Errorf("%+v", list)
	}
}
