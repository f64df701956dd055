package console_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/console"
	"coffer/console/contract"
	"coffer/protocol"
	"coffer/server"
)

// Figures and activity come as they happen; who was away gets what they
// missed, once.
func TestEvents(t *testing.T) {
	s := startSite(t, nil)
	next, stop := s.events("/api/events")
	if first := next(); first.name != "stats" {
		t.Fatalf("it begins with %+v", first)
	}
	alice := s.person("alice")
	seen := until(t, next, "activity")
	var a contract.Activity
	if err := json.Unmarshal([]byte(seen.data), &a); err != nil || a.Kind != contract.ActivityKindRegistration || a.Client.Name != "alice" || strconv.FormatInt(a.Id, 10) != seen.id {
		t.Fatalf("%+v: %+v, %v", seen, a, err)
	}
	for a.Kind != contract.ActivityKindSignIn && a.Kind != contract.ActivityKindKeyExchange {
		seen = until(t, next, "activity")
		if err := json.Unmarshal([]byte(seen.data), &a); err != nil {
			t.Fatal(err)
		}
	}
	var stats contract.Stats
	for stats.Clients == 0 {
		if err := json.Unmarshal([]byte(until(t, next, "stats").data), &stats); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	alice.put("one.txt", []byte("one"))
	alice.put("two.txt", []byte("two"))

	next, _ = s.events("/api/events", "Last-Event-ID", seen.id)
	var names []string
	last := seen.id
	for len(names) < 2 {
		e := until(t, next, "activity")
		if len(e.id) < len(last) || e.id <= last {
			t.Errorf("%s after %s", e.id, last)
		}
		last = e.id
		var a contract.Activity
		if err := json.Unmarshal([]byte(e.data), &a); err != nil {
			t.Fatal(err)
		}
		if a.Kind == contract.ActivityKindUpload {
			names = append(names, *a.File)
		}
	}
	if names[0] != "one.txt" || names[1] != "two.txt" {
		t.Errorf("made up for: %q", names)
	}
	alice.put("three.txt", []byte("three"))
	if e := until(t, next, "activity"); !strings.Contains(e.data, "three.txt") {
		t.Errorf("after what was made up for: %+v", e)
	}
}

// A client that was away for too long learns it, and gets the latest events.
func TestEventsAfterALongTime(t *testing.T) {
	s := startSite(t, nil)
	s.person("alice")
	first := get[contract.ActivityList](s, "/api/activities?limit=1000")
	oldest := first.Activities[len(first.Activities)-1].Id
	// More than a stream makes up for.
	for range 501 {
		s.must(204, "POST", "/api/clients/alice/suspend", nil)
		s.must(204, "POST", "/api/clients/alice/resume", nil)
	}
	next, _ := s.events("/api/events", "Last-Event-ID", strconv.FormatInt(oldest, 10))
	until(t, next, "missed")
	list := get[contract.ActivityList](s, "/api/activities?limit=1000")
	if e := until(t, next, "activity"); e.id != strconv.FormatInt(list.Activities[999].Id, 10) {
		t.Errorf("it goes on with %s, not %d", e.id, list.Activities[999].Id)
	}
	for _, nonsense := range []string{"x", "-1", "99999999999999999999", "0"} {
		next, stop := s.events("/api/events", "Last-Event-ID", nonsense)
		if e := next(); e.name != "stats" {
			t.Errorf("after %q: %+v", nonsense, e)
		}
		stop()
	}
}

// A reader that takes nothing does not hold the core up, and is hung up on.
func TestSlowReader(t *testing.T) {
	s := startSite(t, func(core *server.Config, cfg *console.Config) {
		core.Level.Set(slog.LevelDebug)
		cfg.WriteTimeout = 200 * time.Millisecond
	})
	nc, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := s.request("GET", "/api/logs/events", nil, "Authorization", s.bearer()).Write(nc); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 4<<10)
	quiet := slog.New(s.records.Handler(slog.NewTextHandler(io.Discard, nil)))
	ended := func() bool {
		return len(s.records.Before(0, 1, console.LogFilter{Level: slog.LevelDebug, Text: "a stream of the console ended"})) > 0
	}
	for end := time.Now().Add(patience); !ended(); {
		if time.Now().After(end) {
			t.Fatal("the connection stays open")
		}
		for range 100 { // more and more, until no buffer on the way takes it
			quiet.Info(text)
		}
	}
	s.must(200, "GET", "/api/stats", nil)
}

// A client that is slow for a while learns how much it missed.
func TestMissedLogs(t *testing.T) {
	s := startSite(t, nil)
	s.log.Info("first")
	last := s.records.Last()
	for range 10_005 {
		s.log.Info("later")
	}
	next, _ := s.events("/api/logs/events", "Last-Event-ID", strconv.FormatInt(last, 10))
	var m contract.MissedEvent
	if err := json.Unmarshal([]byte(until(t, next, "missed").data), &m); err != nil || m.Missed < 5 || m.Missed > 50 {
		t.Errorf("missed %+v, %v", m, err)
	}
	if e := until(t, next, "log"); e.id != strconv.FormatInt(last+m.Missed+1, 10) {
		t.Errorf("it goes on with %s", e.id)
	}
}

// Streams end with the server, at once.
func TestEventsEndWithTheServer(t *testing.T) {
	var next func() event
	t.Run("server", func(t *testing.T) {
		s := startSite(t, nil)
		next, _ = s.events("/api/events")
		next()
	}) // whose cleanup stops it, and would wait for calls in flight
	start := time.Now()
	for next().name != "" {
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTransfers(t *testing.T) {
	s := startSite(t, nil)
	alice := s.person("alice")
	plain := bytes.Repeat([]byte("backup "), 100_000)
	begun, ciphertext := alice.begin("big.bin", plain)
	next, _ := s.events("/api/events")
	if _, err := alice.conn.UploadPacket(t.Context(), alice.id, protocol.UploadPacket{Upload: begun.Upload, Number: 2}, ciphertext[:1<<16]); err != nil {
		t.Fatal(err)
	}
	list := get[contract.TransferList](s, "/api/transfers")
	if len(list.Transfers) != 1 {
		t.Fatalf("%+v", list)
	}
	one := list.Transfers[0]
	if one.Client.Name != "alice" || one.File != "big.bin" || one.State != contract.TransferStateReceiving || one.Packets != 1 || one.Missing != 1 ||
		one.Bytes != 1<<16 || *one.OriginalBytes != int64(len(plain)) || *one.TotalBytes != int64(len(ciphertext)) || one.Format != contract.FormatFile {
		t.Errorf("%+v", one)
	}
	var transfers contract.TransferEvent
	for len(transfers.Transfers) == 0 {
		if err := json.Unmarshal([]byte(until(t, next, "transfers").data), &transfers); err != nil {
			t.Fatal(err)
		}
	}
	s.must(404, "DELETE", "/api/transfers/"+strings.Repeat("0", 32), nil)
	s.must(400, "DELETE", "/api/transfers/x", nil)
	s.must(204, "DELETE", "/api/transfers/"+one.Id, nil)
	s.must(404, "DELETE", "/api/transfers/"+one.Id, nil)
	if _, err := alice.conn.GetUpload(t.Context(), alice.id, protocol.UploadRef{ByID: true, Upload: begun.Upload}); err == nil {
		t.Error("the upload is still there")
	}
	for len(transfers.Transfers) > 0 { // an empty list is sent as well
		if err := json.Unmarshal([]byte(until(t, next, "transfers").data), &transfers); err != nil {
			t.Fatal(err)
		}
	}
	list = get[contract.TransferList](s, "/api/transfers")
	if len(list.Transfers) != 0 || len(list.Ended) == 0 || list.Ended[0].Kind != contract.ActivityKindUploadDropped || list.Ended[0].Outcome != contract.OutcomeWarning {
		t.Errorf("after it was cancelled: %+v", list)
	}
}

func TestFigures(t *testing.T) {
	s := startSite(t, func(_ *server.Config, cfg *console.Config) { cfg.Listen, cfg.MinFree = "127.0.0.1:1256", 7 })
	alice := s.person("alice")
	alice.put("a.txt", []byte("a"))
	alice.put("a.txt", []byte("aa"))
	stats := get[contract.Stats](s, "/api/stats")
	if stats.Clients != 1 || stats.Files != 1 || stats.Versions != 2 || stats.Verified != 2 || stats.Bytes != 32 || stats.Connections != 1 || stats.Sessions != 1 ||
		stats.Database != contract.StateOperational || stats.Storage != contract.StateOperational || stats.Listen != "127.0.0.1:1256" || stats.Version != "test" {
		t.Errorf("%+v", stats)
	}
	for window, step := range map[string]int{"": 10, "?window=hour": 10, "?window=day": 60} {
		if h := get[contract.History](s, "/api/history"+window); h.StepSeconds != step || h.Samples == nil {
			t.Errorf("%q: %+v", window, h)
		}
	}
	s.must(400, "GET", "/api/history?window=year", nil)
	storage := get[contract.Storage](s, "/api/storage")
	if storage.Bytes != 32 || storage.MinFree != 7 || storage.Unverified != 0 || len(storage.Largest) != 1 || storage.Largest[0].Name != "alice" || storage.DiskTotal == 0 {
		t.Errorf("%+v", storage)
	}
	for path, status := range map[string]int{"?kind=upload&kind=removal": 2, "?outcome=failed": 0, "?client=alice&kind=registration": 1, "?kind=upload&limit=1": 1} {
		if list := get[contract.ActivityList](s, "/api/activities"+path); len(list.Activities) != status {
			t.Errorf("%s: %+v", path, list)
		}
	}
	page := get[contract.ActivityList](s, "/api/activities?kind=upload&limit=1")
	rest := get[contract.ActivityList](s, "/api/activities?kind=upload&limit=5&before="+strconv.FormatInt(*page.Next, 10))
	if len(rest.Activities) != 1 || rest.Next != nil || rest.Activities[0].Id >= page.Activities[0].Id || *rest.Activities[0].Version != 1 {
		t.Errorf("the second page: %+v", rest)
	}
	s.must(404, "GET", "/api/activities?client=nobody", nil)
	s.must(400, "GET", "/api/activities?kind=party", nil)
	s.must(400, "GET", "/api/activities?limit=0", nil)
	s.must(400, "GET", "/api/activities?limit=many", nil)
}

func TestHealth(t *testing.T) {
	s := startSite(t, nil)
	for path, says := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "coffer_server_connections{"} {
		got := s.do(s.request(http.MethodGet, path, nil))
		if got.status != 200 || !strings.Contains(string(got.body), says) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
