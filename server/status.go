package server

import (
	"context"

	"coffer/protocol"
)

func (c *conn) getStatus(ctx context.Context, _ *request, _ *protocol.GetStatus) (protocol.Message, error) {
	return c.s.Status(ctx), nil
}

// Status returns the state of the server.
func (s *Server) Status(ctx context.Context) *protocol.ServerStatus {
	now, settings := s.admin.Stats(ctx), s.Settings()
	return &protocol.ServerStatus{
		Started:          now.Started,
		Connections:      uint32(now.Connections),
		ClientsConnected: uint32(now.InSession),
		Clients:          uint64(now.Clients),
		Suspended:        uint64(now.Suspended),
		Files:            uint64(now.Files),
		Versions:         uint64(now.Versions),
		Verified:         uint64(now.Verified),
		Bytes:            uint64(now.Bytes),
		Uploads:          uint32(now.Uploads),
		Free:             now.Free,
		DiskTotal:        now.DiskTotal,
		BytesReceived:    now.Received,
		BytesSent:        now.Sent,
		Requests:         now.Requests,
		Failures:         now.Failures,
		MaxPacket:        s.maxContent(),
		SessionTTL:       settings.SessionTTL,
		UploadTTL:        settings.UploadTTL,
		Database:         now.Database,
		Storage:          now.Storage,
		ServerVersion:    now.Version,
	}
}
