package client

import (
	"context"

	"coffer/protocol"
)

// OpenPacket announces a packet of an upload that comes in pieces: 1048.
func (c *Conn) OpenPacket(ctx context.Context, id protocol.ClientID, m protocol.OpenPacket) error {
	return c.call(ctx, id, &m, new(protocol.Done))
}

// OpenNamedPacket announces a packet, to come in pieces, of the upload that is
// named by its file name: 1049.
func (c *Conn) OpenNamedPacket(ctx context.Context, id protocol.ClientID, m protocol.OpenNamedPacket) error {
	return c.call(ctx, id, &m, new(protocol.Done))
}

// PacketPiece brings the next piece of an open packet: 1050. For the piece that
// ends it the upload's state is returned, for others nil.
func (c *Conn) PacketPiece(ctx context.Context, id protocol.ClientID, m protocol.PacketPiece, piece []byte) (*protocol.UploadState, error) {
	if !m.End {
		return nil, c.callWith(ctx, id, &m, content{bytes: piece}, new(protocol.Done))
	}
	state := new(protocol.UploadState)
	if err := c.callWith(ctx, id, &m, content{bytes: piece}, state); err != nil {
		return nil, err
	}
	return state, nil
}

// DropPacket gives an open packet up: 1051.
func (c *Conn) DropPacket(ctx context.Context, id protocol.ClientID, transfer protocol.TransferID) error {
	return c.call(ctx, id, &protocol.DropPacket{Transfer: transfer}, new(protocol.Done))
}
