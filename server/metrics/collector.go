package metrics

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/store"
)

// Figures are those of the running server at a moment.
type Figures struct {
	At      time.Time
	Started time.Time
	Version string // of this build
	Closing bool   // the server is shutting down

	Connections int // of clients that are open
	Connected   int // clients that have a connection, a session or an upload under way, themselves or by a gateway
	Internal    int // connections on the internal listener
	Gateways    int // that have proven to know the core's secret, however many connections they have
	InSession   int // clients with a live session key
	Suspended   int // clients
	Uploads     int // unfinished
	store.Totals

	Counters         // since the start
	PerSecond Rates  // recent
	Free      uint64 // bytes for blobs
	DiskTotal uint64
	Database  string // Operational, or what is wrong
	Storage   string
}

// Operational is a part of the server that works.
const Operational = "operational"

// A Status is what a collector asks for beside what was counted.
type Status struct {
	Figures
	Commits       *store.GroupCommits // nil if changes do not share transactions
	Guesses       []Guesses
	SessionsEnded uint64 // because of such guesses
	Scrubbing     bool
	LastScrub     *Scrub // nil if none has ended
}

// Guesses counts files that revealed something to their sender, by kind.
type Guesses struct {
	Kind  string
	Count uint64
}

// A Scrub is how one ended.
type Scrub struct {
	Ended   time.Time
	Success bool // it went through, and all was sound
	maintain.Scrubbed
}

// Collector measures for Prometheus: what was counted, and the figures of the
// moment. Its labels come from short fixed lists, never from clients.
func (m *Metrics) Collector(now func() Status) prometheus.Collector { return collector{m, now} }

type collector struct {
	m   *Metrics
	now func() Status
}

// Describe sends nothing: the collector is one whose metrics depend on what
// happens, and which registries take unchecked.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect measures.
func (c collector) Collect(out chan<- prometheus.Metric) {
	m, now, r := c.m, c.now(), reporter{out}
	r.value("start_time_seconds", "When the server started, in seconds since 1970.", prometheus.GaugeValue, seconds(now.Started))
	r.labelled("build_info", "1; the label is the version of the program.", prometheus.GaugeValue, 1, "version", now.Version)
	r.labelled("connections", "Open connections, by listener.", prometheus.GaugeValue, float64(now.Connections), "listener", "public")
	r.labelled("connections", "Open connections, by listener.", prometheus.GaugeValue, float64(now.Internal), "listener", "internal")
	r.value("connections_refused_total", "Connections refused, because there were too many.", prometheus.CounterValue, float64(m.ConnectionsRefused.Load()))
	r.value("connections_evicted_total", "Connections that proved nothing and were closed to make room.", prometheus.CounterValue, float64(m.ConnectionsEvicted.Load()))
	r.value("uploads_evicted_total", "Unfinished uploads that stood still and were dropped to make room.", prometheus.CounterValue, float64(m.UploadsEvicted.Load()))
	r.value("received_bytes_total", "Bytes received from clients and gateways.", prometheus.CounterValue, float64(now.Received))
	r.value("sent_bytes_total", "Bytes sent to clients and gateways.", prometheus.CounterValue, float64(now.Sent))
	c.requests(r)
	r.value("sessions", "Clients with a live session key.", prometheus.GaugeValue, float64(now.InSession))
	r.value("clients", "Registered clients.", prometheus.GaugeValue, float64(now.Clients))
	r.value("clients_suspended", "Clients whose requests are refused.", prometheus.GaugeValue, float64(now.Suspended))
	r.value("uploads", "Unfinished uploads.", prometheus.GaugeValue, float64(now.Uploads))
	for _, one := range []struct {
		result string
		n      *atomic.Uint64
	}{{"committed", &m.committed}, {"mismatch", &m.Mismatched}, {"dropped", &m.Dropped}} {
		r.labelled("uploads_total", "Uploads that were committed, whose checksum was wrong (each attempt), or that came to nothing.",
			prometheus.CounterValue, float64(one.n.Load()), "result", one.result)
	}
	for _, one := range now.Guesses {
		r.labelled("guesses_total", "Files named by base clients and gateways whose padding was wrong, or that were summed and never confirmed.",
			prometheus.CounterValue, float64(one.Count), "kind", one.Kind)
	}
	r.value("sessions_ended_total", "Sessions ended because of such files.", prometheus.CounterValue, float64(now.SessionsEnded))
	m.uploads.Collect(out)
	r.value("files", "Files, by distinct names.", prometheus.GaugeValue, float64(now.Files))
	r.value("blobs", "Blobs of file versions.", prometheus.GaugeValue, float64(now.Versions))
	r.value("blobs_verified", "Blobs of versions whose checksum the client confirmed.", prometheus.GaugeValue, float64(now.Verified))
	r.value("stored_bytes", "Bytes of these blobs.", prometheus.GaugeValue, float64(now.Bytes))
	r.value("disk_free_bytes", "Bytes free for blobs.", prometheus.GaugeValue, float64(now.Free))
	r.value("disk_bytes", "Bytes of the disk that holds the blobs.", prometheus.GaugeValue, float64(now.DiskTotal))
	r.value("database_up", "1 if the catalog can be read.", prometheus.GaugeValue, flag(now.Database == Operational))
	r.value("storage_up", "1 if new uploads are served: 0 when the disk is full or fails.", prometheus.GaugeValue, flag(now.Storage == Operational))
	if commits := now.Commits; commits != nil {
		r.value("catalog_queue", "Changes that wait for a transaction.", prometheus.GaugeValue, float64(commits.Queued))
		r.histogram("catalog_transaction_changes", "Changes that shared a transaction.", commits.Changes)
		r.histogram("catalog_commit_seconds", "How long a transaction took to commit, with its sync.", commits.Sync)
	}
	c.snapshots(r)
	c.scrubs(r, now)
}

func (c collector) snapshots(r reporter) {
	m := c.m
	r.value("pack_puts", "Packs of snapshots that are coming in.", prometheus.GaugeValue, float64(m.Puts.Load()))
	r.labelled("packs_put_total", "Packs of snapshots that were sent, by what came of them.", prometheus.CounterValue, float64(m.PacksPut.Load()), "result", "stored")
	r.labelled("packs_put_total", "Packs of snapshots that were sent, by what came of them.", prometheus.CounterValue, float64(m.PacksKnown.Load()), "result", "known")
	r.value("pack_stored_bytes_total", "Bytes of the packs that were stored.", prometheus.CounterValue, float64(m.PackBytes.Load()))
	r.value("pack_read_bytes_total", "Bytes of packs that were sent to clients.", prometheus.CounterValue, float64(m.PackBytesRead.Load()))
	r.value("packs_damaged_total", "Packs that were found damaged as clients read them.", prometheus.CounterValue, float64(m.PacksDamaged.Load()))
	r.value("snapshots_total", "Snapshots that were committed.", prometheus.CounterValue, float64(m.Snapshots.Load()))
	r.value("runs_expired_total", "Runs that ended because they made no request for too long.", prometheus.CounterValue, float64(m.RunsExpired.Load()))
	r.value("sweeps_total", "Sweeps over the packs of all clients.", prometheus.CounterValue, float64(m.Sweeps.Load()))
	r.value("packs_marked_total", "Packs that no snapshot and no run needed any more.", prometheus.CounterValue, float64(m.PacksMarked.Load()))
	r.value("packs_swept_total", "Packs that were removed after the grace.", prometheus.CounterValue, float64(m.PacksSwept.Load()))
	r.value("pack_swept_bytes_total", "Bytes of the packs that were removed.", prometheus.CounterValue, float64(m.BytesSwept.Load()))
}

func (c collector) requests(r reporter) {
	for i := range c.m.requests {
		code, name := protocol.Code(i)+firstCode, "unknown"
		number := strconv.Itoa(int(code))
		if i == codes-1 {
			number = "other"
		} else if name, _, _ = strings.Cut(code.String(), " ("); !code.IsRequest() {
			continue
		}
		for o := range outcomes {
			n := c.m.requests[i][o].Load()
			if n == 0 && o != Served {
				continue // there are hundreds
			}
			r.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("coffer_server_requests_total", "Requests, by code and how they ended.",
				[]string{"code", "request", "outcome"}, nil), prometheus.CounterValue, float64(n), number, name, o.String())
		}
	}
}

func (c collector) scrubs(r reporter, now Status) {
	r.value("scrub_running", "1 while blobs are read back.", prometheus.GaugeValue, flag(now.Scrubbing))
	r.value("scrub_read_bytes_total", "Bytes of blobs read back.", prometheus.CounterValue, float64(c.m.Scrubbed.Load()))
	r.value("scrub_faults_total", "Damaged or missing blobs found.", prometheus.CounterValue, float64(c.m.ScrubFaults.Load()))
	last := now.LastScrub
	if last == nil {
		return
	}
	r.value("scrub_last_end_time_seconds", "When the last scrub ended, in seconds since 1970.", prometheus.GaugeValue, seconds(last.Ended))
	r.value("scrub_last_success", "1 if the last scrub went through and all was sound.", prometheus.GaugeValue, flag(last.Success))
	r.value("scrub_last_versions", "File versions that the last scrub read back.", prometheus.GaugeValue, float64(last.Versions))
	for _, one := range []struct {
		fault maintain.Fault
		n     int
	}{{maintain.FaultDamaged, last.Damaged}, {maintain.FaultMissing, last.Missing}, {maintain.FaultOrphan, last.Orphans}} {
		r.labelled("scrub_last_findings", "What the last scrub found, by what is wrong.", prometheus.GaugeValue, float64(one.n), "fault", string(one.fault))
	}
}

// A reporter sends metrics of the server.
type reporter struct{ out chan<- prometheus.Metric }

func (r reporter) value(name, help string, kind prometheus.ValueType, value float64) {
	r.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("coffer_server_"+name, help, nil, nil), kind, value)
}

func (r reporter) labelled(name, help string, kind prometheus.ValueType, value float64, label, is string) {
	r.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("coffer_server_"+name, help, []string{label}, nil), kind, value, is)
}

func (r reporter) histogram(name, help string, h store.Histogram) {
	buckets, count := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, n := range h.Counts {
		count += n
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = count
		}
	}
	r.out <- prometheus.MustNewConstHistogram(prometheus.NewDesc("coffer_server_"+name, help, nil, nil), count, h.Sum, buckets)
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
