package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"coffer/console/contract"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)

func full() Snapshot {
	like := "b0b\x1b[31m"
	total, left, detail, file, version, bytes := int64(200), 90.0, "the disk is full\x1b]2;x\a", "plan.txt", int64(3), int64(2048)
	next := noon.Add(24 * time.Hour)
	return Snapshot{
		Stats: contract.Stats{At: noon, UptimeSeconds: 93784, Version: "1.2.3", Listen: "10.0.0.1:1256", Database: "operational", Storage: "full",
			Connections: 1, Sessions: 2, Clients: 1234, Suspended: 1, Files: 5, Versions: 3000, Verified: 2999, Bytes: 3 << 30, Requests: 7, Failures: 2, FailureRate: 0.5,
			Scrub: contract.ScrubState{Next: &next}, Uploads: 1},
		Transfers: []contract.Transfer{
			{Client: contract.ClientRef{Name: "alice\x1b[31m"}, File: "big.bin", State: contract.TransferStateReceiving, Bytes: 50, TotalBytes: &total, Rate: 1024, SecondsLeft: &left},
			{Client: contract.ClientRef{Name: "bob", LooksLike: &like}, File: strings.Repeat("long", 20), State: contract.TransferStateUnconfirmed, Bytes: 5},
		},
		Activities: []contract.Activity{
			{Id: 2, At: noon, Kind: contract.ActivityKindUpload, Outcome: contract.OutcomeOk, Client: &contract.ClientRef{Name: "alice", LooksLike: &like}, File: &file, Version: &version, Bytes: &bytes},
			{Id: 1, At: noon, Kind: contract.ActivityKindError, Outcome: contract.OutcomeFailed, Detail: &detail},
		},
	}
}

func TestText(t *testing.T) {
	live := model{url: "http://c", now: noon, plain: true}.apply(connected{full()})
	text := live.text()
	for _, want := range []string{
		"Coffer 1.2.3, 10.0.0.1:1256  live 12:00:00, up 1d 2h",
		"database operational, storage full,",
		"1,234 registered, 2 in session, 1 connection open, 1 suspended, registration closed",
		"3.22 GB in 3,000 versions of 5 files, 99.9 % verified",
		"7 in all, 2 failed (0.5/s)",
		"the next integrity check on 26 November at 12:00",
		"Transfers: 2", "[====            ]  25 % of 200 bytes, 1.02 kB/s, 1m 30s left", "unconfirmed 5 bytes (looks like b0b�[31m)",
		"12:00:00 ✓ upload        alice (looks like b0b�[31m), plan.txt (version 3), 2.05 kB",
		"12:00:00 ✗ error         the disk is full",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\a") {
		t.Errorf("somebody else's text reaches the terminal as it is: %q", text)
	}
}

// Figures that are not live are never shown as if they were.
func TestAway(t *testing.T) {
	m := model{url: "http://c", now: noon}
	m = m.apply(lost{noon, errors.New("refused")})
	if text := ansi.Strip(m.text()); !strings.Contains(text, "no answer from http://c: refused") || strings.Contains(text, "live") {
		t.Errorf("never seen:\n%s", text)
	}
	m = m.apply(connected{full()})
	m = m.apply(full().Stats)
	if text := ansi.Strip(m.text()); !strings.Contains(text, "live") || len(m.rates) != 1 {
		t.Errorf("there again:\n%s", text)
	}
	m = m.apply(lost{noon, errors.New("gone")})
	m = m.apply(lost{noon.Add(time.Second), errors.New("refused")}) // a second try
	m.now = noon.Add(65 * time.Second)
	text := m.text()
	if plain := ansi.Strip(text); !strings.Contains(plain, "no answer since 12:00:00 (1m5s): refused") || strings.Contains(plain, "live") {
		t.Errorf("away:\n%s", plain)
	}
	for i, line := range strings.Split(text, "\n") {
		if plain := ansi.Strip(line); i > 0 && strings.TrimSpace(plain) != "" && !strings.HasPrefix(line, "\x1b[2m") {
			t.Errorf("not faint: %q", line)
		}
	}
	if m = m.apply(connected{full()}); !strings.Contains(m.text(), "live") {
		t.Error("it stays away")
	}
}

func TestApply(t *testing.T) {
	m := model{}.apply(connected{full()})
	first := m
	m = m.apply(contract.Activity{Id: 3, Kind: contract.ActivityKindSignIn})
	m = m.apply(contract.Activity{Id: 3, Kind: contract.ActivityKindSignIn}) // a duplicate
	if len(m.Activities) != 3 || m.Activities[0].Id != 3 || len(first.Activities) != 2 {
		t.Errorf("%+v", m.Activities)
	}
	for i := range 2 * keptActivities {
		m = m.apply(contract.Activity{Id: int64(i + 4)})
	}
	if len(m.Activities) != keptActivities {
		t.Errorf("%d activities", len(m.Activities))
	}
	for range 2 * keptRates {
		m = m.apply(contract.Stats{ReceiveRate: 1, Uploads: 1})
	}
	if len(m.rates) != keptRates || len(m.Transfers) != 2 {
		t.Errorf("%d rates, %d transfers", len(m.rates), len(m.Transfers))
	}
	if m = m.apply(contract.Stats{}); len(m.Transfers) != 0 {
		t.Error("transfers are shown that there are not")
	}
	if m = m.apply(contract.TransferEvent{Transfers: make([]contract.Transfer, 9)}); !strings.Contains(m.text(), "and 3 more") {
		t.Errorf("%s", m.text())
	}
}

// The screen fits a terminal of any size, and ends when asked to.
func TestSizesAndKeys(t *testing.T) {
	var shown tea.Model = model{now: noon}.apply(connected{full()}).apply(contract.Stats{ReceiveRate: 5, Uploads: 1})
	for _, size := range []tea.WindowSizeMsg{{Width: 200, Height: 60}, {Width: 80, Height: 24}, {Width: 20, Height: 5}, {Width: 1, Height: 1}} {
		shown, _ = shown.Update(size)
		lines := strings.Split(shown.View().Content, "\n")
		for _, line := range lines[:len(lines)-1] {
			if ansi.StringWidth(line) > size.Width {
				t.Errorf("%v: %q", size, line)
			}
		}
		if size.Height >= 24 && len(lines) != size.Height {
			t.Errorf("%v: %d lines", size, len(lines))
		}
	}
	for key, ends := range map[tea.KeyPressMsg]bool{{Code: 'q', Text: "q"}: true, {Code: 'c', Mod: tea.ModCtrl}: true, {Code: tea.KeyEscape}: true, {Code: 'x', Text: "x"}: false} {
		_, command := shown.Update(key)
		if (command != nil) != ends {
			t.Errorf("%v", key)
		}
	}
}

func TestSparkline(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   string
	}{{nil, ""}, {[]float64{0, 0}, "▁▁"}, {[]float64{0, 1, 2, 4}, "▁▃▅█"}} {
		if got := sparkline(test.values); got != test.want {
			t.Errorf("%v: %s", test.values, got)
		}
	}
}

// A stream that ends is opened again; between the two there is no answer.
func TestWatch(t *testing.T) {
	streams := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"title":"Unauthorized","status":401,"detail":"the token is wrong"}`)
		case r.URL.Path == "/api/events":
			if streams++; streams == 2 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			fmt.Fprintf(w, "retry: 1\n\n:\n\nevent: stats\ndata: {\"requests\":%d}\n\nevent: other\ndata: x\n\nevent: activity\nid: 7\ndata: {\"id\":7}\n\n", streams)
		default:
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(map[string]any{"activities": []any{}, "transfers": []any{}, "requests": 100}); err != nil {
				t.Error(err)
			}
		}
	}))
	defer server.Close()
	source := &Source{URL: server.URL, Token: "token", HTTP: server.Client()}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var events []string
	source.Watch(ctx, func(event any) {
		switch event := event.(type) {
		case connected:
			events = append(events, fmt.Sprint("connected ", event.Stats.Requests))
		case contract.Stats:
			events = append(events, fmt.Sprint("stats ", event.Requests))
		case contract.Activity:
			events = append(events, fmt.Sprint("activity ", event.Id))
		case lost:
			events = append(events, "lost: "+event.err.Error())
		}
		if len(events) == 9 {
			cancel()
		}
	})
	want := "connected 100, stats 1, activity 7, lost: the server has ended the stream, lost: the console answers 502 Bad Gateway, " +
		"connected 100, stats 3, activity 7, lost: the server has ended the stream"
	if got := strings.Join(events, ", "); got != want {
		t.Errorf("events: %s", got)
	}
	source.Token = "another"
	if _, err := source.Snapshot(t.Context()); err == nil || err.Error() != "the token is wrong" {
		t.Errorf("with another token: %v", err)
	}
}
