package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"coffer/protocol"
)

// SendFile sends a whole file as base clients do and waits for its checksum:
// 1028. The ciphertext, size bytes of it, is cut into packets of packetSize
// bytes. After an error the connection is closed, since more than one of the
// packets may have been refused.
func (c *Conn) SendFile(ctx context.Context, id protocol.ClientID, name string, originalSize uint32,
	ciphertext io.Reader, size, packetSize uint32) (*protocol.FileReceived, error) {
	field, err := protocol.NewField(name)
	if err != nil {
		return nil, err
	}
	if size == 0 || packetSize == 0 {
		return nil, errors.New("a file and its packets need at least one byte")
	}
	total := (uint64(size) + uint64(packetSize) - 1) / uint64(packetSize)
	if total > 1<<16-1 {
		return nil, fmt.Errorf("%d packets exceed the 65535 of a base upload", total)
	}
	t, err := c.sendPackets(ctx, id, protocol.SendFile{
		ContentSize: size, OriginalSize: originalSize, Total: uint16(total), Name: field,
	}, ciphertext, packetSize)
	if err != nil {
		return nil, err
	}
	answer := new(protocol.FileReceived)
	if err := t.receive(answer); err != nil {
		c.fail(err)
		return nil, err
	}
	return answer, nil
}

// sendPackets writes all packets of a file before any other request.
func (c *Conn) sendPackets(ctx context.Context, id protocol.ClientID, m protocol.SendFile, r io.Reader, packetSize uint32) (*ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.Err(); err != nil {
		return nil, err
	}
	t := &ticket{c: c, turn: c.last, done: make(chan struct{})}
	t.stop = context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	for left := m.ContentSize; left > 0; {
		m.Number++
		n := min(left, packetSize)
		if err := c.writeLocked(ctx, id, &m, content{reader: r, size: n}); err != nil {
			t.stop()
			return nil, c.fail(fmt.Errorf("send %v: %w", m.Code(), err))
		}
		left -= n
	}
	c.last = t.done
	return t, nil
}

// BeginUpload begins an upload with a session key of its own: 1034.
func (c *Conn) BeginUpload(ctx context.Context, id protocol.ClientID, m protocol.BeginUpload) (*protocol.UploadBegun, error) {
	return ask[protocol.UploadBegun](ctx, c, id, &m)
}

// UploadPacket brings one packet of an upload: 1035.
func (c *Conn) UploadPacket(ctx context.Context, id protocol.ClientID, m protocol.UploadPacket, packet []byte) (*protocol.UploadState, error) {
	pending, err := c.StartUploadPacket(ctx, id, m, packet)
	if err != nil {
		return nil, err
	}
	return pending.Wait()
}

// A PendingState is the answer to a packet that is under way.
type PendingState struct{ t *ticket }

// StartUploadPacket sends a packet and does not wait: 1035. Wait must be called
// on what it returns, once; ctx holds until then.
func (c *Conn) StartUploadPacket(ctx context.Context, id protocol.ClientID, m protocol.UploadPacket, packet []byte) (PendingState, error) {
	t, err := c.send(ctx, id, &m, content{bytes: packet})
	return PendingState{t}, err
}

// Wait returns the answer when it has come.
func (p PendingState) Wait() (*protocol.UploadState, error) {
	answer := new(protocol.UploadState)
	if err := p.t.receive(answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// NamedPacket brings one packet of the upload that is named by its file name:
// 1036. The packet is the next size bytes of r; if r fails the connection is
// closed.
func (c *Conn) NamedPacket(ctx context.Context, id protocol.ClientID, m protocol.NamedPacket, r io.Reader, size uint32) (*protocol.UploadState, error) {
	answer := new(protocol.UploadState)
	if err := c.callWith(ctx, id, &m, content{reader: r, size: size}, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// GetUpload returns an upload's state: 1037.
func (c *Conn) GetUpload(ctx context.Context, id protocol.ClientID, ref protocol.UploadRef) (*protocol.UploadState, error) {
	return ask[protocol.UploadState](ctx, c, id, &protocol.GetUpload{Ref: ref})
}

// CancelUpload drops an upload: 1039.
func (c *Conn) CancelUpload(ctx context.Context, id protocol.ClientID, ref protocol.UploadRef) error {
	return c.call(ctx, id, &protocol.CancelUpload{Ref: ref}, new(protocol.Done))
}

// ListUploads lists the client's unfinished uploads: 1040.
func (c *Conn) ListUploads(ctx context.Context, id protocol.ClientID) (*protocol.UploadList, error) {
	return ask[protocol.UploadList](ctx, c, id, &protocol.ListUploads{})
}
