package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"coffer/store"
)

// The figures are those of what was done, the metrics are the same figures, and
// a registry takes them.
func TestFigures(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	for i := range 3 {
		w.store(fmt.Sprint("f", i), content(uint64(i), 1000), 2000)
	}
	w.write(w.frames("open", content(9, 5000), 3000)[0])
	w.send(1029, field("never"))
	w.expectEmpty(1607)
	c.srv.Admin().Clients(t.Context(), store.ClientQuery{Limit: 1})
	s := c.srv.Admin().Stats(t.Context())
	usage := store.Usage{Files: 3, Versions: 3, Verified: 3, Bytes: 3 * 1008}
	if s.Totals != (store.Totals{Clients: 1, Usage: usage}) || s.InSession != 1 || s.Uploads != 1 || s.Connections != 1 ||
		s.Requests != 4+3*2+2 || s.Failures != 1 || s.Received < 3*1008 || s.Sent < 3*279 || s.Database != "operational" ||
		s.Storage != "operational" || s.Free == 0 || s.DiskTotal < s.Free || s.Closing {
		t.Errorf("figures: %+v", s)
	}
	page, total, err := c.srv.Admin().Clients(t.Context(), store.ClientQuery{Sort: store.SortByBytes, Descending: true, Limit: 10})
	if err != nil || total != 1 || len(page) != 1 || page[0].Usage != usage || page[0].Uploads != 1 || !page[0].InSession {
		t.Errorf("clients: %+v, error %v", page, err)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c.srv.Admin().Collector()); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) != 0 {
		t.Errorf("metrics: %v, error %v", problems, err)
	}
	want := `
		# HELP coffer_server_blobs Blobs of file versions.
		# TYPE coffer_server_blobs gauge
		coffer_server_blobs 3
		# HELP coffer_server_connections Open connections, by listener.
		# TYPE coffer_server_connections gauge
		coffer_server_connections{listener="internal"} 0
		coffer_server_connections{listener="public"} 1
		# HELP coffer_server_stored_bytes Bytes of these blobs.
		# TYPE coffer_server_stored_bytes gauge
		coffer_server_stored_bytes 3024
		# HELP coffer_server_uploads_total Uploads that were committed, whose checksum was wrong (each attempt), or that came to nothing.
		# TYPE coffer_server_uploads_total counter
		coffer_server_uploads_total{result="committed"} 3
		coffer_server_uploads_total{result="dropped"} 0
		coffer_server_uploads_total{result="mismatch"} 0
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "coffer_server_blobs", "coffer_server_connections",
		"coffer_server_stored_bytes", "coffer_server_uploads_total"); err != nil {
		t.Error(err)
	}
	eventually(t, "all requests are counted", func() bool { // which is once they are answered
		requests := c.requests(registry)
		return requests["1028 ok"] == 4 && requests["1029 ok"] == 3 && requests["1029 refused"] == 1 && requests["1025 ok"] == 1 && requests["1043 ok"] == 0
	})
	if err := c.srv.Admin().Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	c.stop()
	if err := c.srv.Admin().Ready(t.Context()); err == nil {
		t.Error("ready after the end")
	}
	c.start()
}

// requests are how many there were, by code and outcome.
func (c *core) requests(metrics prometheus.Gatherer) map[string]float64 {
	c.t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	requests := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != "coffer_server_requests_total" {
			continue
		}
		for _, m := range family.Metric {
			requests[m.Label[0].GetValue()+" "+m.Label[1].GetValue()] = m.Counter.GetValue()
		}
	}
	return requests
}
