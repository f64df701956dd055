package server

import (
	"context"

	"coffer/protocol"
	"coffer/server/upload"
	"coffer/store"
)

func streamID(r *request, id protocol.TransferID) upload.StreamID {
	return upload.StreamID{Client: r.client, ID: id}
}

func (c *conn) openPacket(ctx context.Context, r *request, m *protocol.OpenPacket) (protocol.Message, error) {
	id := streamID(r, m.Transfer)
	if c.s.uploads.IsOpen(id) {
		return &protocol.Done{}, nil
	}
	u, err := c.s.uploads.Find(r.client, store.UploadID(m.Packet.Upload))
	if err != nil {
		return nil, err
	}
	return &protocol.Done{}, c.s.uploads.OpenPacket(ctx, id, u,
		upload.Packet{Number: m.Packet.Number, Last: m.Packet.Last, Size: int64(m.Room), Exact: true, From: r.from.address})
}

func (c *conn) openNamedPacket(ctx context.Context, r *request, m *protocol.OpenNamedPacket) (protocol.Message, error) {
	id := streamID(r, m.Transfer)
	if c.s.uploads.IsOpen(id) {
		return &protocol.Done{}, nil
	}
	u, err := c.namedUpload(ctx, r, &m.Packet)
	if err != nil {
		return nil, err
	}
	return &protocol.Done{}, c.s.uploads.OpenPacket(ctx, id, u, upload.Packet{Number: m.Packet.Number, Size: int64(m.Room), From: r.from.address})
}

func (c *conn) packetPiece(ctx context.Context, r *request, m *protocol.PacketPiece) (protocol.Message, error) {
	u, err := c.s.uploads.Piece(ctx, streamID(r, m.Transfer), int64(m.Offset), m.End, r.payload, int64(r.payload.left))
	switch {
	case err != nil:
		return nil, err
	case !m.End:
		return &protocol.Done{}, nil
	}
	return c.state(ctx, u)
}

func (c *conn) dropPacket(ctx context.Context, r *request, m *protocol.DropPacket) (protocol.Message, error) {
	c.s.uploads.DropPacket(ctx, streamID(r, m.Transfer))
	return &protocol.Done{}, nil
}
