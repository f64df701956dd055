package console

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"coffer/server/admin"
)

// newMetrics serves the core's metrics, and the process's.
func newMetrics(core *admin.Service) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, one := range []prometheus.Collector{core.Collector(), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(one); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true}), nil
}

// GetMetrics serves metrics for Prometheus: GET /metrics.
func (c *Console) GetMetrics(w http.ResponseWriter, r *http.Request) { c.metrics.ServeHTTP(w, r) }

// GetHealth says that the process lives: GET /healthz.
func (c *Console) GetHealth(w http.ResponseWriter, r *http.Request) {
	c.answers.Say(w, r, http.StatusOK, "ok")
}

// GetReadiness says whether the core serves: GET /readyz.
func (c *Console) GetReadiness(w http.ResponseWriter, r *http.Request) {
	if err := c.core.Ready(r.Context()); err != nil {
		c.log.Warn("not ready", "error", err)
		c.answers.Say(w, r, http.StatusServiceUnavailable, "not ready; the log says why")
		return
	}
	c.answers.Say(w, r, http.StatusOK, "ok")
}
