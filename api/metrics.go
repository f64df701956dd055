package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"coffer/client"
	"coffer/protocol"
)

// metrics measure the gateway. Their labels come from the contract and from
// short fixed lists, never from callers.
type metrics struct {
	handler    http.Handler
	requests   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	bytes      *prometheus.CounterVec
	coreErrors *prometheus.CounterVec
}

func newMetrics(core *pool) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "coffer_http_requests_total",
			Help: "Requests answered."}, []string{"method", "route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "coffer_http_request_duration_seconds",
			Help: "From a request's header to its answer's end.", Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100}}, []string{"method", "route"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "coffer_http_body_bytes_total",
			Help: "Bytes of bodies."}, []string{"direction"}),
		coreErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "coffer_core_errors_total",
			Help: "Requests to the core that failed, by what failed."}, []string{"kind"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.duration, m.bytes, m.coreErrors,
		poolGauge("in_use", "Connections to the core that are in use.", func() float64 { return float64(core.conns.Stat().AcquiredResources()) }),
		poolGauge("idle", "Connections to the core that are idle.", func() float64 { return float64(core.conns.Stat().IdleResources()) }),
		poolGauge("max", "Maximum number of connections to the core.", func() float64 { return float64(core.conns.Stat().MaxResources()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "coffer_core_connections_wait_seconds_total", Help: "Time spent waiting for a connection to the core."},
			func() float64 { return core.conns.Stat().EmptyAcquireWaitTime().Seconds() }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	core.onError = m.coreFailed
	return m
}

func poolGauge(name, help string, f func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "coffer_core_connections_" + name, Help: help}, f)
}

func (m *metrics) observe(verb, route string, status int, took time.Duration, in, out int64) {
	if route == "" || route == "/*" {
		route = "none"
	}
	m.requests.WithLabelValues(method(verb), route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(method(verb), route).Observe(took.Seconds())
	m.bytes.WithLabelValues("in").Add(float64(in))
	m.bytes.WithLabelValues("out").Add(float64(out))
}

// coreFailed counts errors of the core, and of the connection to it. A refusal
// that a caller deserved is not an error of the core.
func (m *metrics) coreFailed(err error) {
	var failure *protocol.Failure
	switch {
	case errors.As(err, &failure):
		switch failure.Status {
		case protocol.StatusInternal, protocol.StatusUnavailable, protocol.StatusBusy, protocol.StatusNoSpace:
			m.coreErrors.WithLabelValues("failure").Inc()
		}
	case errors.Is(err, client.ErrProtocol), errors.Is(err, client.ErrRefused):
		m.coreErrors.WithLabelValues("protocol").Inc()
	default:
		m.coreErrors.WithLabelValues("transport").Inc()
	}
}
