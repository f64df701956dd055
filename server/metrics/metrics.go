// Package metrics counts what the core does, and exports the counts to
// Prometheus and as a history of the last hour and day.
//
// What is counted on the way of a request is an addition to a counter that was
// looked up before. Everything is in memory and begins with the core.
package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"coffer/protocol"
)

// An Outcome is how a request ended.
type Outcome int

// The outcomes.
const (
	Served  Outcome = iota
	Refused         // the client asked for what it cannot have
	Failed          // the server could not do it
	Lost            // the connection ended before the answer
	outcomes
)

func (o Outcome) String() string {
	return [outcomes]string{Served: "ok", Refused: "refused", Failed: "failed", Lost: "lost"}[o]
}

// Requests are counted in an array that their codes index, so that counting
// costs one addition. Codes that are no requests share the last place.
const (
	firstCode = protocol.CodeRegister
	lastCode  = protocol.CodeRemoveMachine
	codes     = int(lastCode-firstCode) + 2
)

// Metrics are the counters. The code that does something adds to its counter.
type Metrics struct {
	Connections atomic.Int64 // open on the public listener

	Received atomic.Uint64 // bytes
	Sent     atomic.Uint64 // bytes
	Requests atomic.Uint64
	Failures atomic.Uint64 // requests that were refused or failed

	ConnectionsRefused atomic.Uint64 // there were too many
	ConnectionsEvicted atomic.Uint64 // closed to make room
	UploadsEvicted     atomic.Uint64 // dropped to make room
	Mismatched         atomic.Uint64 // checksums that were wrong
	Dropped            atomic.Uint64 // uploads that came to nothing
	Scrubbed           atomic.Uint64 // bytes read back
	ScrubFaults        atomic.Uint64 // damaged or missing blobs found

	Puts          atomic.Int64  // packs that come in now
	PacksPut      atomic.Uint64 // packs stored
	PacksKnown    atomic.Uint64 // packs put that were there already
	PackBytes     atomic.Uint64 // bytes of the packs stored
	PackBytesRead atomic.Uint64 // bytes of packs sent to clients
	PacksDamaged  atomic.Uint64 // packs found damaged as they were read
	Snapshots     atomic.Uint64 // committed
	RunsExpired   atomic.Uint64 // ended for lack of requests
	Sweeps        atomic.Uint64 // passes over the packs of all clients
	PacksMarked   atomic.Uint64 // packs that nothing needed any more
	PacksSwept    atomic.Uint64 // packs removed after the grace
	BytesSwept    atomic.Uint64 // bytes of these

	requests  [codes][outcomes]atomic.Uint64
	committed atomic.Uint64
	uploads   prometheus.Histogram // seconds, of committed uploads
	history   history
}

// New makes counters that stand at zero.
func New() *Metrics {
	m := &Metrics{uploads: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "coffer_server_upload_duration_seconds", Help: "From the beginning of an upload to its commit.",
		Buckets: []float64{.003, .01, .03, .1, .3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000},
	})}
	m.history.looked = time.Now()
	return m
}

// Count counts a request by how it ended.
func (m *Metrics) Count(code protocol.Code, o Outcome) {
	i := codes - 1
	if code = code.Canonical(); code.IsRequest() {
		i = int(code - firstCode)
	}
	m.requests[i][o].Add(1)
}

// Committed counts an upload that became a version.
func (m *Metrics) Committed(took time.Duration) {
	m.committed.Add(1)
	m.uploads.Observe(took.Seconds())
}
