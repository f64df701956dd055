package console_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"coffer/console/contract"
	"coffer/store"
)

func TestLogs(t *testing.T) {
	s := startSite(t, nil)
	alice := s.person("alice")
	s.log.Warn("disk is slow", "took", 3*time.Second, "client", store.ClientID(alice.id))
	s.log.With("part", "gate").WithGroup("peer").Error("gone", "addr", "10.0.0.7", slog.Group("tls", "version", 13), "error", errors.New("reset"))
	s.log.Debug("never seen")

	list := get[contract.LogList](s, "/api/logs?level=warn")
	if len(list.Records) != 2 || list.Records[0].Message != "gone" || list.Records[1].Level != contract.LogLevelWarn {
		t.Fatalf("%+v", list)
	}
	attributes := fmt.Sprint(list.Records[0].Attributes)
	if attributes != "[{part gate} {peer.addr 10.0.0.7} {peer.tls.version 13} {peer.error reset}]" {
		t.Errorf("attributes %s", attributes)
	}
	fingerprint := get[contract.Client](s, "/api/clients/alice").Fingerprint
	for query, want := range map[string]int{
		"level=warn&client=alice": 1, "level=warn&client=" + fingerprint: 1, "level=warn&client=client:" + fingerprint: 1, "client=nobody": 0,
		"text=DISK+IS": 1, "text=10.0.0.7": 1, "text=PEER.addr": 1, "text=never": 0, "level=error": 1, "level=warn&limit=1": 1,
	} {
		if list := get[contract.LogList](s, "/api/logs?"+query); len(list.Records) != want {
			t.Errorf("%s: %d records", query, len(list.Records))
		}
	}
	first := get[contract.LogList](s, "/api/logs?level=warn&limit=1")
	if rest := get[contract.LogList](s, fmt.Sprintf("/api/logs?level=warn&before=%d", *first.Next)); len(rest.Records) != 1 || rest.Records[0].Message != "disk is slow" {
		t.Errorf("the second page: %+v", rest)
	}
	s.must(400, "GET", "/api/logs?level=loud", nil)

	got := s.must(200, "GET", "/api/logs/download?level=warn", nil)
	lines := strings.Split(strings.TrimSpace(string(got.body)), "\n")
	if len(lines) != 2 || !strings.Contains(got.header.Get("Content-Disposition"), ".jsonl") {
		t.Fatalf("%q, %v", lines, got.header)
	}
	var r contract.LogRecord
	if err := json.Unmarshal([]byte(lines[0]), &r); err != nil || r.Message != "disk is slow" {
		t.Errorf("%q: %v", lines[0], err)
	}

	next, _ := s.events("/api/logs/events?level=error&client=alice")
	s.log.Error("of nobody")
	s.log.Warn("not severe", "client", store.ClientID(alice.id))
	s.log.Error("of hers", "client", store.ClientID(alice.id))
	if e := next(); e.name != "log" || !strings.Contains(e.data, "of hers") {
		t.Errorf("live: %+v", e)
	}
}
