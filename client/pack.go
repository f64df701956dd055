package client

import (
	"context"
	"io"

	"coffer/protocol"
)

// AskPacks asks which packs the server lacks, and pins the others: 1085. At
// most [protocol.MaxAskPacks] can be asked about at once.
func (c *Conn) AskPacks(ctx context.Context, id protocol.ClientID, run protocol.RunID, packs []protocol.PackID) (missing []protocol.PackID, err error) {
	answer, err := askNew[protocol.PacksMissing](ctx, c, id, &protocol.AskPacks{Run: run, IDs: packs})
	if err != nil {
		return nil, err
	}
	return answer.IDs, nil
}

// PutPack sends a pack, which is the next size bytes of r, and returns once it
// is on stable storage: 1086. It can be repeated. If r fails the connection is
// closed.
func (c *Conn) PutPack(ctx context.Context, id protocol.ClientID, run protocol.RunID, pack protocol.PackID, r io.Reader, size uint32) error {
	pending, err := c.StartPutPack(ctx, id, run, pack, r, size)
	if err != nil {
		return err
	}
	return pending.Wait()
}

// A PendingPack is the answer to a pack that is under way.
type PendingPack struct{ t *ticket }

// StartPutPack sends a pack and does not wait for the answer: 1086. Wait must be
// called on what it returns, once; ctx holds until then.
func (c *Conn) StartPutPack(ctx context.Context, id protocol.ClientID, run protocol.RunID, pack protocol.PackID, r io.Reader, size uint32) (PendingPack, error) {
	t, err := c.send(ctx, id, &protocol.PutPack{Run: run, ID: pack}, content{reader: r, size: size})
	return PendingPack{t}, err
}

// Wait returns once the pack is on stable storage.
func (p PendingPack) Wait() error { return knows(p.t.receive(new(protocol.Done))) }

// ReadPack reads a range of a pack, with a length of 0 up to its end: 1088. As
// with [Conn.ReadFile], no other answer is read from the connection until the
// content was read to io.EOF or closed; ctx holds until then.
func (c *Conn) ReadPack(ctx context.Context, id protocol.ClientID, m protocol.ReadPack) (protocol.PackContent, io.ReadCloser, error) {
	var answer protocol.PackContent
	content, err := c.readRange(ctx, id, &m, &answer, func(left uint32) bool {
		asked := byteRange{m.Offset, m.Length, protocol.MaxPack}
		return asked.covers(answer.Offset, answer.Size, left)
	})
	return answer, content, knows(err)
}

// CheckPack has the server read a pack back: 1095. A damaged one is a
// protocol.Failure of StatusConflict, and counts as missing from then on.
func (c *Conn) CheckPack(ctx context.Context, id protocol.ClientID, pack protocol.PackID) error {
	return knows(c.call(ctx, id, &protocol.CheckPack{ID: pack}, new(protocol.Done)))
}

// SnapshotPacks returns a page of the packs that a snapshot needs: 1093.
func (c *Conn) SnapshotPacks(ctx context.Context, id protocol.ClientID, m protocol.SnapshotPacks) (*protocol.PackList, error) {
	return askNew[protocol.PackList](ctx, c, id, &m)
}
