package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"coffer/client"
	"coffer/protocol"
)

// GetStatus tells how the server is: GET /api/v1/status.
func (g *Gateway) GetStatus(w http.ResponseWriter, r *http.Request) {
	m, err := g.status(r.Context())
	if err != nil {
		g.fail(w, r, err)
		return
	}
	connections, uploads := int64(m.Connections), int64(m.Uploads)
	files, versions, stored := int64(m.Files), int64(m.Versions), int64(m.Bytes)
	g.reply(w, r, http.StatusOK, Status{
		ServerRunning: true, ClientsConnected: int64(m.ClientsConnected), TotalRegistered: int64(m.Clients),
		Database: m.Database, Storage: m.Storage, Connections: &connections, Uploads: &uploads,
		Files: &files, Versions: &versions, BytesStored: &stored, Started: &m.Started, Version: &m.ServerVersion,
	}, nil)
}

func (g *Gateway) status(ctx context.Context) (*protocol.ServerStatus, error) {
	return ask(ctx, g.core, idempotent, func(conn *client.Conn) (*protocol.ServerStatus, error) {
		return conn.Status(ctx)
	})
}

// GetLimits tells what the server accepts: GET /api/v1/limits.
func (g *Gateway) GetLimits(w http.ResponseWriter, r *http.Request) {
	m, err := g.status(r.Context())
	if err != nil {
		g.fail(w, r, err)
		return
	}
	g.reply(w, r, http.StatusOK, Limits{
		MaxPacket: min(g.cfg.MaxPacket, int64(m.MaxPacket)), MaxFile: 1 << 62, KeyBits: []int{1024, 2048, 3072, 4096},
		SessionSeconds: int64(m.SessionTTL / time.Second), UploadSeconds: int64(m.UploadTTL / time.Second),
		MaxKeyBundle: protocol.MaxKeyBundle,
	}, nil)
}

// Healthz says that the gateway runs: GET /healthz.
func (g *Gateway) Healthz(w http.ResponseWriter, r *http.Request) { g.ok(w, r) }

// Readyz says whether the core can be reached, and the gateway is here to stay:
// GET /readyz.
func (g *Gateway) Readyz(w http.ResponseWriter, r *http.Request) {
	if g.leaving.Load() {
		g.fail(w, r, &problem{kind: kindUnavailable, message: "this gateway is about to end"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	if _, err := g.status(ctx); err != nil {
		g.fail(w, r, err)
		return
	}
	g.ok(w, r)
}

func (g *Gateway) ok(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := io.WriteString(w, "ok\n"); err != nil {
		g.log.Debug("an answer did not reach its caller", requestAttr(r))
	}
}

// Metrics are measurements for Prometheus: GET /metrics.
func (g *Gateway) Metrics(w http.ResponseWriter, r *http.Request) {
	g.metrics.handler.ServeHTTP(w, r)
}
