package server

import (
	"context"

	"coffer/protocol"
	"coffer/store"
)

const operational = "operational"

func (c *conn) askStatus(ctx context.Context, _ store.ClientID, _ *protocol.AskStatus) (protocol.Message, error) {
	return c.s.Status(ctx), nil
}

// Status tells how the server is.
func (s *Server) Status(ctx context.Context) *protocol.ServerStatus {
	m := &protocol.ServerStatus{
		Started:          s.started,
		Connections:      uint32(s.stats.connections.Load()),
		ClientsConnected: uint32(s.sessions.count()),
		Uploads:          uint32(s.uploads.len()),
		BytesReceived:    s.stats.received.Load(),
		BytesSent:        s.stats.sent.Load(),
		Requests:         s.stats.requests.Load(),
		Failures:         s.stats.failures.Load(),
		MaxPacket:        s.maxContent(),
		SessionTTL:       s.cfg.SessionTTL,
		UploadTTL:        s.cfg.UploadTTL,
		Database:         operational,
		Storage:          operational,
		ServerVersion:    s.cfg.Version,
	}
	totals, err := s.cfg.Catalog.Totals(ctx)
	if err != nil {
		s.log.Error("cannot read the catalog's totals", "error", err)
		m.Database = "failing"
	}
	m.Clients, m.Files, m.Versions, m.Bytes = uint64(totals.Clients), uint64(totals.Files), uint64(totals.Versions), uint64(totals.Bytes)
	switch m.Free, m.DiskTotal, err = s.cfg.Blobs.Space(); {
	case err != nil:
		s.log.Error("cannot read the free space", "error", err)
		m.Storage = "failing"
	case s.cfg.Space.Low():
		m.Storage = "full"
	}
	return m
}
