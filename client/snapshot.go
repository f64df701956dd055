package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"coffer/protocol"
)

// PackIDs are Count ids of packs, which Each returns one by one.
type PackIDs struct {
	Count int
	Each  iter.Seq[protocol.PackID]
}

// PackIDsOf are these ids.
func PackIDsOf(ids []protocol.PackID) PackIDs { return PackIDs{len(ids), slices.Values(ids)} }

func (p PackIDs) writeTo(w io.Writer) error {
	if p.Count == 0 {
		return nil
	}
	for id := range p.Each {
		if _, err := w.Write(id[:]); err != nil {
			return err
		}
	}
	return nil
}

// A SnapshotCommit is a snapshot that is to be the next version of its name.
type SnapshotCommit struct {
	Run     protocol.RunID
	Name    string
	Before  uint32  // the newest version as the client knows it, 0 none
	Base    uint32  // the version whose packs it takes over, 0 none
	Head    []byte  // what a list shows, sealed
	Added   PackIDs // that it needs beside its base's
	Dropped PackIDs // of its base's, that it does not need

	Manifest []byte // sealed
}

// CommitSnapshot commits a snapshot and returns its version, or packs that the
// server lacks (perhaps not all of them), in which case nothing is committed:
// 1087. A protocol.Failure of StatusConflict means that another version came
// first. It can be repeated: a run commits once.
func (c *Conn) CommitSnapshot(ctx context.Context, id protocol.ClientID, s SnapshotCommit) (version uint32, missing []protocol.PackID, err error) {
	switch {
	case len(s.Name) > protocol.MaxName || len(s.Head) > protocol.MaxHead || len(s.Manifest) > protocol.MaxManifest:
		return 0, nil, errors.New("the snapshot's name, head or manifest is too large")
	case s.Added.Count > protocol.MaxSnapshotPacks || s.Dropped.Count > protocol.MaxSnapshotPacks:
		return 0, nil, fmt.Errorf("more than %d packs in one commit", protocol.MaxSnapshotPacks)
	}
	m := &protocol.CommitSnapshot{
		Run: s.Run, Before: s.Before, Base: s.Base, NameSize: uint16(len(s.Name)), HeadSize: uint16(len(s.Head)),
		Added: uint32(s.Added.Count), Dropped: uint32(s.Dropped.Count), ManifestSize: uint32(len(s.Manifest)),
	}
	return c.SendCommit(ctx, id, m, s.writeTo)
}

// SendCommit is CommitSnapshot with content that write writes, exactly as m
// announces it.
func (c *Conn) SendCommit(ctx context.Context, id protocol.ClientID, m *protocol.CommitSnapshot, write func(io.Writer) error) (version uint32, missing []protocol.PackID, err error) {
	t, err := c.send(ctx, id, m, content{size: uint32(m.ContentSize()), write: write})
	if err != nil {
		return 0, nil, err
	}
	return t.receiveCommit()
}

func (s *SnapshotCommit) writeTo(w io.Writer) error {
	if _, err := io.WriteString(w, s.Name); err != nil {
		return err
	}
	if _, err := w.Write(s.Head); err != nil {
		return err
	}
	if err := s.Added.writeTo(w); err != nil {
		return err
	}
	if err := s.Dropped.writeTo(w); err != nil {
		return err
	}
	_, err := w.Write(s.Manifest)
	return err
}

// receiveCommit reads either of the answers to a commit and releases the
// ticket.
func (t *ticket) receiveCommit() (version uint32, missing []protocol.PackID, err error) {
	defer t.release()
	h, err := t.header()
	if err != nil {
		return 0, nil, err
	}
	switch h.Code {
	case protocol.CodeSnapshotCommitted:
		var answer protocol.SnapshotCommitted
		err = t.payload(h.Size, &answer)
		return answer.Version, nil, err
	case protocol.CodePacksMissing:
		missing, err = t.missing(h)
		return 0, missing, err
	}
	return 0, nil, knows(t.refusal(h))
}

// missing reads which packs the server lacks.
func (t *ticket) missing(h protocol.ResponseHeader) ([]protocol.PackID, error) {
	var answer protocol.PacksMissing
	if err := t.payload(h.Size, &answer); err != nil {
		return nil, err
	}
	if len(answer.IDs) == 0 {
		return nil, t.c.fail(fmt.Errorf("%w: no pack is missing, and nothing was done", ErrProtocol))
	}
	return answer.IDs, nil
}

// ListSnapshots returns a page of a client's snapshots, at most as many as the
// limit: 1090.
func (c *Conn) ListSnapshots(ctx context.Context, id protocol.ClientID, m protocol.ListSnapshots) (*protocol.SnapshotList, error) {
	return askNew[protocol.SnapshotList](ctx, c, id, &m)
}

// Mend adds a mend record to a snapshot, or returns packs it names that the
// server lacks: 1089.
func (c *Conn) Mend(ctx context.Context, id protocol.ClientID, m protocol.MendSnapshot) (missing []protocol.PackID, err error) {
	t, err := c.send(ctx, id, &m, content{})
	if err != nil {
		return nil, err
	}
	defer t.release()
	h, err := t.header()
	if err != nil {
		return nil, err
	}
	switch h.Code {
	case protocol.CodeDone:
		return nil, t.payload(h.Size, new(protocol.Done))
	case protocol.CodePacksMissing:
		return t.missing(h)
	}
	return nil, knows(t.refusal(h))
}

// ListMends returns all mend records of a snapshot, the oldest first: 1094.
func (c *Conn) ListMends(ctx context.Context, id protocol.ClientID, name string, version uint32) (records [][]byte, err error) {
	for more := true; more && len(records) < math.MaxUint16; {
		m := &protocol.ListMends{Version: version, After: uint16(len(records)), Name: name}
		page, err := askNew[protocol.Mends](ctx, c, id, m)
		if err != nil {
			return nil, err
		}
		if page.More && len(page.Records) == 0 {
			return nil, c.fail(fmt.Errorf("%w: a page of no mend records that is not the last", ErrProtocol))
		}
		records, more = append(records, page.Records...), page.More
	}
	return records, nil
}

// ReportVerified says that a snapshot was read and found right: 1096.
func (c *Conn) ReportVerified(ctx context.Context, id protocol.ClientID, m protocol.ReportVerified) error {
	return knows(c.call(ctx, id, &m, new(protocol.Done)))
}
