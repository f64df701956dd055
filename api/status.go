package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"coffer/api/contract"
	"coffer/internal/problem"
	"coffer/protocol"
)

// GetStatus reports how the server is: GET /api/v1/status. Who may not see the
// figures learns whether it works.
func (g *Gateway) GetStatus(w http.ResponseWriter, r *http.Request) {
	m, err := g.core.GetStatus(r.Context())
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	if !g.maySeeFigures(r) {
		g.answers.Reply(w, r, http.StatusOK, contract.Status{ServerRunning: true, Database: m.Database, Storage: m.Storage}, nil)
		return
	}
	status := contract.Status{
		ServerRunning: true, ClientsConnected: new(int64(m.ClientsConnected)), TotalRegistered: new(int64(m.Clients)),
		Database: m.Database, Storage: m.Storage, Connections: new(int64(m.Connections)), Uploads: new(int64(m.Uploads)),
		Files: new(int64(m.Files)), Versions: new(int64(m.Versions)), VersionsVerified: new(int64(m.Verified)),
		ClientsSuspended: new(int64(m.Suspended)), BytesStored: new(int64(m.Bytes)),
		BytesReceived: new(int64(m.BytesReceived)), BytesSent: new(int64(m.BytesSent)),
		Requests: new(int64(m.Requests)), Failures: new(int64(m.Failures)),
		DiskFree: new(int64(m.Free)), DiskTotal: new(int64(m.DiskTotal)), Started: &m.Started, Version: &m.ServerVersion,
	}
	g.answers.Reply(w, r, http.StatusOK, status, nil)
}

// maySeeFigures reports whether a caller's network may learn how busy the server is.
func (g *Gateway) maySeeFigures(r *http.Request) bool {
	networks := g.cfg.StatusNetworks
	if len(networks) == 0 {
		return true
	}
	addr, err := netip.ParseAddr(g.address(r))
	return err == nil && holds(networks, addr)
}

// GetLimits reports what the server accepts: GET /api/v1/limits.
func (g *Gateway) GetLimits(w http.ResponseWriter, r *http.Request) {
	g.handle(w, r, http.StatusOK, func(ctx context.Context) (any, error) {
		m, err := g.core.GetStatus(ctx)
		if err != nil {
			return nil, err
		}
		return contract.Limits{
			MaxPacket: min(g.cfg.MaxPacket, int64(m.MaxPacket)), MaxFile: 1 << 62, KeyBits: []int{1024, 2048, 3072, 4096},
			SessionSeconds: int64(m.SessionTTL / time.Second), UploadSeconds: int64(m.UploadTTL / time.Second),
			MaxKeyBundle: protocol.MaxKeyBundle,
		}, nil
	})
}

// Healthz says that the gateway runs: GET /healthz.
func (g *Gateway) Healthz(w http.ResponseWriter, r *http.Request) {
	g.answers.Say(w, r, http.StatusOK, "ok")
}

// Readyz says whether the core can be reached, and the gateway is here to stay:
// GET /readyz.
func (g *Gateway) Readyz(w http.ResponseWriter, r *http.Request) {
	if g.leaving.Load() {
		g.answers.Fail(w, r, problem.New(problem.Unavailable, "this gateway is about to end"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	if _, err := g.core.GetStatus(ctx); err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	g.answers.Say(w, r, http.StatusOK, "ok")
}

// Metrics are measurements for Prometheus: GET /metrics.
func (g *Gateway) Metrics(w http.ResponseWriter, r *http.Request) {
	if !g.maySeeFigures(r) {
		g.answers.Fail(w, r, problem.New(problem.Forbidden, "measurements are not for this network"))
		return
	}
	g.metrics.handler.ServeHTTP(w, r)
}
