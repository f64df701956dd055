package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/store"
)

// An outcome is how a request ended.
type outcome int

const (
	requestServed  outcome = iota
	requestRefused         // the client asked for what it cannot have
	requestFailed          // the server could not do it
	requestLost            // the connection ended before the answer
	outcomes
)

func (o outcome) String() string {
	return [outcomes]string{requestServed: "ok", requestRefused: "refused", requestFailed: "failed", requestLost: "lost"}[o]
}

// outcomeOf is how a request ended that the error answers.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return requestServed
	case errors.As(err, new(*refusal)):
		return requestRefused
	case errors.As(err, new(lostError)):
		return requestLost
	}
	return requestFailed
}

// Requests are counted in an array that their codes index, so that counting
// costs one addition. Codes that are no requests share the last place.
const (
	firstCode = protocol.CodeRegister
	lastCode  = protocol.CodeCaller
	codes     = int(lastCode-firstCode) + 2
)

// meters count what the server's other figures do not.
type meters struct {
	requests    [codes][outcomes]atomic.Uint64
	tooMany     atomic.Uint64 // connections refused
	evicted     atomic.Uint64 // connections closed to make room
	madeRoom    atomic.Uint64 // uploads dropped to make room
	uploads     prometheus.Histogram
	committed   atomic.Uint64
	mismatched  atomic.Uint64
	dropped     atomic.Uint64
	scrubbed    atomic.Uint64 // bytes read back
	scrubFaults atomic.Uint64 // damaged or missing blobs found
}

func newMeters() *meters {
	return &meters{uploads: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "coffer_server_upload_duration_seconds", Help: "From the beginning of an upload to its commit.",
		Buckets: []float64{.003, .01, .03, .1, .3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000},
	})}
}

// count counts a request.
func (m *meters) count(code protocol.Code, o outcome) {
	i := codes - 1
	if code = code.Canonical(); code.IsRequest() {
		i = int(code - firstCode)
	}
	m.requests[i][o].Add(1)
}

// Collector measures the server for Prometheus. Its labels come from short
// fixed lists, never from clients.
func (s *Server) Collector() prometheus.Collector { return collector{s} }

type collector struct{ s *Server }

// Describe sends nothing: the collector is one whose metrics depend on what
// happens, and which registries take unchecked.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect measures.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s, r := c.s, reporter{out}
	now := s.Stats(context.Background())
	r.value("start_time_seconds", "When the server started, in seconds since 1970.", prometheus.GaugeValue, seconds(now.Started))
	r.labelled("build_info", "1; the label is the version of the program.", prometheus.GaugeValue, 1, "version", now.Version)
	r.labelled("connections", "Open connections, by listener.", prometheus.GaugeValue, float64(now.Connections), "listener", "public")
	r.labelled("connections", "Open connections, by listener.", prometheus.GaugeValue, float64(now.Internal), "listener", "internal")
	r.value("connections_refused_total", "Connections refused, because there were too many.", prometheus.CounterValue, float64(s.meters.tooMany.Load()))
	r.value("connections_evicted_total", "Connections that proved nothing and were closed to make room.", prometheus.CounterValue, float64(s.meters.evicted.Load()))
	r.value("uploads_evicted_total", "Unfinished uploads that stood still and were dropped to make room.", prometheus.CounterValue, float64(s.meters.madeRoom.Load()))
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
	}{{"committed", &s.meters.committed}, {"mismatch", &s.meters.mismatched}, {"dropped", &s.meters.dropped}} {
		r.labelled("uploads_total", "Uploads that were committed, whose checksum was wrong (each attempt), or that came to nothing.",
			prometheus.CounterValue, float64(one.n.Load()), "result", one.result)
	}
	for kind := range guessKinds {
		r.labelled("guesses_total", "Files named by base clients and gateways whose padding was wrong, or that were summed and never confirmed.",
			prometheus.CounterValue, float64(s.guesses.seen[kind].Load()), "kind", kind.String())
	}
	r.value("sessions_ended_total", "Sessions ended because of such files.", prometheus.CounterValue, float64(s.guesses.ended.Load()))
	s.meters.uploads.Collect(out)
	r.value("files", "Files, by distinct names.", prometheus.GaugeValue, float64(now.Files))
	r.value("blobs", "Blobs of file versions.", prometheus.GaugeValue, float64(now.Versions))
	r.value("blobs_verified", "Blobs of versions whose checksum the client confirmed.", prometheus.GaugeValue, float64(now.Verified))
	r.value("stored_bytes", "Bytes of these blobs.", prometheus.GaugeValue, float64(now.Bytes))
	r.value("disk_free_bytes", "Bytes free for blobs.", prometheus.GaugeValue, float64(now.Free))
	r.value("disk_bytes", "Bytes of the disk that holds the blobs.", prometheus.GaugeValue, float64(now.DiskTotal))
	r.value("database_up", "1 if the catalog can be read.", prometheus.GaugeValue, flag(now.Database == operational))
	r.value("storage_up", "1 if new uploads are served: 0 when the disk is full or fails.", prometheus.GaugeValue, flag(now.Storage == operational))
	if g, ok := s.cfg.Catalog.(store.GroupCommitter); ok {
		commits := g.GroupCommits()
		r.value("catalog_queue", "Changes that wait for a transaction.", prometheus.GaugeValue, float64(commits.Queued))
		r.histogram("catalog_transaction_changes", "Changes that shared a transaction.", commits.Changes)
		r.histogram("catalog_commit_seconds", "How long a transaction took to commit, with its sync.", commits.Sync)
	}
	c.scrubs(r, now.Scrub)
}

func (c collector) requests(r reporter) {
	for i := range c.s.meters.requests {
		code, name := protocol.Code(i)+firstCode, "unknown"
		number := strconv.Itoa(int(code))
		if i == codes-1 {
			number = "other"
		} else if name, _, _ = strings.Cut(code.String(), " ("); !code.IsRequest() {
			continue
		}
		for o := range outcomes {
			n := c.s.meters.requests[i][o].Load()
			if n == 0 && o != requestServed {
				continue // there are hundreds
			}
			r.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("coffer_server_requests_total", "Requests, by code and how they ended.",
				[]string{"code", "request", "outcome"}, nil), prometheus.CounterValue, float64(n), number, name, o.String())
		}
	}
}

func (c collector) scrubs(r reporter, now ScrubState) {
	r.value("scrub_running", "1 while blobs are read back.", prometheus.GaugeValue, flag(now.Running))
	r.value("scrub_read_bytes_total", "Bytes of blobs read back.", prometheus.CounterValue, float64(c.s.meters.scrubbed.Load()))
	r.value("scrub_faults_total", "Damaged or missing blobs found.", prometheus.CounterValue, float64(c.s.meters.scrubFaults.Load()))
	last := c.s.LastScrub()
	if last == nil {
		return
	}
	r.value("scrub_last_end_time_seconds", "When the last scrub ended, in seconds since 1970.", prometheus.GaugeValue, seconds(last.Ended))
	r.value("scrub_last_success", "1 if the last scrub went through and all was sound.", prometheus.GaugeValue,
		flag(last.Error == "" && !last.Stopped && last.Counts.Sound()))
	r.value("scrub_last_versions", "File versions that the last scrub read back.", prometheus.GaugeValue, float64(last.Counts.Versions))
	for _, one := range []struct {
		fault maintain.Fault
		n     int
	}{{maintain.FaultDamaged, last.Counts.Damaged}, {maintain.FaultMissing, last.Counts.Missing}, {maintain.FaultOrphan, last.Counts.Orphans}} {
		r.labelled("scrub_last_findings", "What the last scrub found, by what is wrong.", prometheus.GaugeValue, float64(one.n), "fault", string(one.fault))
	}
}

// A reporter sends metrics of the server's.
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
