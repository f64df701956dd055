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

// A PendingPiece is the answer to a piece that is under way.
type PendingPiece struct {
	t   *ticket
	end bool
}

// StartPacketPiece sends the next piece of an open packet and does not wait:
// 1050. Wait must be called on what it returns, once; ctx holds until then.
func (c *Conn) StartPacketPiece(ctx context.Context, id protocol.ClientID, m protocol.PacketPiece, piece []byte) (PendingPiece, error) {
	t, err := c.send(ctx, id, &m, content{bytes: piece})
	return PendingPiece{t, m.End}, err
}

// Wait returns the answer when it has come: for the piece that ends a packet
// the upload's state, for others nil.
func (p PendingPiece) Wait() (*protocol.UploadState, error) {
	if !p.end {
		return nil, p.t.receive(new(protocol.Done))
	}
	state := new(protocol.UploadState)
	if err := p.t.receive(state); err != nil {
		return nil, err
	}
	return state, nil
}

// DropPacket gives an open packet up: 1051.
func (c *Conn) DropPacket(ctx context.Context, id protocol.ClientID, transfer protocol.TransferID) error {
	return c.call(ctx, id, &protocol.DropPacket{Transfer: transfer}, new(protocol.Done))
}
