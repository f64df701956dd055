package client

import (
	"context"

	"coffer/protocol"
)

// ChecksumOK confirms a base upload, which commits it: 1029.
func (c *Conn) ChecksumOK(ctx context.Context, id protocol.ClientID, name string) error {
	field, err := protocol.NewField(name)
	if err != nil {
		return err
	}
	return c.call(ctx, id, &protocol.ChecksumOK{Name: field}, new(protocol.Acknowledged))
}

// ChecksumRetry says that every packet will come again, and waits for the
// answer, which comes only while this side stays silent: 1030.
func (c *Conn) ChecksumRetry(ctx context.Context, id protocol.ClientID, name string) error {
	field, err := protocol.NewField(name)
	if err != nil {
		return err
	}
	return c.call(ctx, id, &protocol.ChecksumRetry{Name: field}, new(protocol.Acknowledged))
}

// ChecksumGiveUp drops a base upload: 1031.
func (c *Conn) ChecksumGiveUp(ctx context.Context, id protocol.ClientID, name string) error {
	field, err := protocol.NewField(name)
	if err != nil {
		return err
	}
	return c.call(ctx, id, &protocol.ChecksumGiveUp{Name: field}, new(protocol.Acknowledged))
}

// VerifyUpload brings this side's checksum, which commits the file if it is
// the server's: 1038.
func (c *Conn) VerifyUpload(ctx context.Context, id protocol.ClientID, m protocol.VerifyUpload) (*protocol.VerifyResult, error) {
	return ask[protocol.VerifyResult](ctx, c, id, &m)
}
