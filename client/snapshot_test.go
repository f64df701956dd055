package client

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"coffer/protocol"
)

var (
	run   = protocol.RunID{1, 2, 3}
	packs = []protocol.PackID{{1}, {2}, {3}}
)

// A server from before snapshots answers a code that it does not know with 1607.
func TestSnapshotsOfAnEarlierServer(t *testing.T) {
	ctx, id := t.Context(), protocol.ClientID{}
	for name, call := range map[string]func(c *Conn) error{
		"BeginRun":      func(c *Conn) error { _, err := c.BeginRun(ctx, id, protocol.BeginRun{}); return err },
		"EndRun":        func(c *Conn) error { return c.EndRun(ctx, id, run) },
		"ListRuns":      func(c *Conn) error { _, err := c.ListRuns(ctx, id); return err },
		"AskPacks":      func(c *Conn) error { _, err := c.AskPacks(ctx, id, run, packs); return err },
		"PutPack":       func(c *Conn) error { return c.PutPack(ctx, id, run, packs[0], bytes.NewReader([]byte("x")), 1) },
		"ReadPack":      func(c *Conn) error { _, _, err := c.ReadPack(ctx, id, protocol.ReadPack{}); return err },
		"CheckPack":     func(c *Conn) error { return c.CheckPack(ctx, id, packs[0]) },
		"SnapshotPacks": func(c *Conn) error { _, err := c.SnapshotPacks(ctx, id, protocol.SnapshotPacks{}); return err },
		"CommitSnapshot": func(c *Conn) error {
			_, _, err := c.CommitSnapshot(ctx, id, SnapshotCommit{Added: PackIDsOf(packs)})
			return err
		},
		"ListSnapshots":  func(c *Conn) error { _, err := c.ListSnapshots(ctx, id, protocol.ListSnapshots{}); return err },
		"Mend":           func(c *Conn) error { _, err := c.Mend(ctx, id, protocol.MendSnapshot{}); return err },
		"ListMends":      func(c *Conn) error { _, err := c.ListMends(ctx, id, "s/1", 0); return err },
		"ReportVerified": func(c *Conn) error { return c.ReportVerified(ctx, id, protocol.ReportVerified{}) },
	} {
		c := serve(t, func(protocol.RequestHeader, []byte) []byte { return response(&protocol.Error{}) })
		if err := call(c); !errors.Is(err, ErrNoSnapshots) {
			t.Errorf("%s: %v, want %v", name, err, ErrNoSnapshots)
		}
		if c.Err() != nil {
			t.Errorf("%s: the connection is closed: %v", name, c.Err())
		}
	}
}

func TestCommitSnapshot(t *testing.T) {
	commit := SnapshotCommit{
		Run: run, Name: "s/1", Before: 7, Base: 6, Head: []byte("head"),
		Added: PackIDsOf(packs[:2]), Dropped: PackIDsOf(packs[2:]), Manifest: []byte("manifest"),
	}
	var want []byte
	want = append(want, "s/1head"...)
	for _, id := range packs {
		want = append(want, id[:]...)
	}
	want = append(want, "manifest"...)
	answer := response(&protocol.SnapshotCommitted{Version: 8})
	c := serve(t, func(h protocol.RequestHeader, p []byte) []byte {
		limit, _ := h.Code.Limit()
		var m protocol.CommitSnapshot
		if err := m.DecodePayload(p[:limit.Min]); err != nil {
			t.Error(err)
		}
		announced := protocol.CommitSnapshot{Run: run, Before: 7, Base: 6, NameSize: 3, HeadSize: 4, Added: 2, Dropped: 1, ManifestSize: 8}
		if m != announced || !bytes.Equal(p[limit.Min:], want) {
			t.Errorf("the server was sent %+v and %q", m, p[limit.Min:])
		}
		return answer
	})
	if version, missing, err := c.CommitSnapshot(t.Context(), protocol.ClientID{}, commit); version != 8 || missing != nil || err != nil {
		t.Errorf("%d, %v, %v", version, missing, err)
	}
	answer = response(&protocol.PacksMissing{IDs: packs[1:]})
	if version, missing, err := c.CommitSnapshot(t.Context(), protocol.ClientID{}, commit); version != 0 || !slices.Equal(missing, packs[1:]) || err != nil {
		t.Errorf("%d, %v, %v", version, missing, err)
	}
	answer = response(&protocol.Failure{Status: protocol.StatusConflict})
	if _, _, err := c.CommitSnapshot(t.Context(), protocol.ClientID{}, commit); !IsStatus(err, protocol.StatusConflict) {
		t.Errorf("%v", err)
	}
	answer = response(&protocol.PacksMissing{})
	if _, _, err := c.CommitSnapshot(t.Context(), protocol.ClientID{}, commit); !errors.Is(err, ErrProtocol) {
		t.Errorf("no pack missing, and no commit: %v", err)
	}
}

// Fewer ids than were announced must not leave the server waiting for them.
func TestCommitSnapshotMiscounted(t *testing.T) {
	c := serve(t, func(protocol.RequestHeader, []byte) []byte { return nil })
	short := SnapshotCommit{Added: PackIDs{Count: 3, Each: slices.Values(packs[:2])}}
	if _, _, err := c.CommitSnapshot(t.Context(), protocol.ClientID{}, short); err == nil || c.Err() == nil {
		t.Errorf("%v; the connection: %v", err, c.Err())
	}
}

func TestMendSaysWhatIsMissing(t *testing.T) {
	answer := response(&protocol.PacksMissing{IDs: packs[:1]})
	c := serve(t, func(protocol.RequestHeader, []byte) []byte { return answer })
	if missing, err := c.Mend(t.Context(), protocol.ClientID{}, protocol.MendSnapshot{}); !slices.Equal(missing, packs[:1]) || err != nil {
		t.Errorf("%v, %v", missing, err)
	}
	answer = response(&protocol.Done{})
	if missing, err := c.Mend(t.Context(), protocol.ClientID{}, protocol.MendSnapshot{}); missing != nil || err != nil {
		t.Errorf("%v, %v", missing, err)
	}
}

func TestListMendsReadsAllPages(t *testing.T) {
	all := [][]byte{[]byte("one"), []byte("two"), []byte("three")}
	empty := false
	c := serve(t, func(_ protocol.RequestHeader, p []byte) []byte {
		var m protocol.ListMends
		if err := m.DecodePayload(p); err != nil {
			t.Error(err)
		}
		if empty {
			return response(&protocol.Mends{More: true})
		}
		return response(&protocol.Mends{More: m.After < 2, Records: all[m.After : m.After+1]})
	})
	got, err := c.ListMends(t.Context(), protocol.ClientID{}, "s/1", 3)
	if err != nil || !slices.EqualFunc(got, all, bytes.Equal) {
		t.Errorf("%q, %v", got, err)
	}
	empty = true
	if _, err := c.ListMends(t.Context(), protocol.ClientID{}, "s/1", 3); !errors.Is(err, ErrProtocol) {
		t.Errorf("a page without records that is not the last: %v", err)
	}
}

func TestReadPack(t *testing.T) {
	pack := []byte("0123456789")
	for name, tt := range map[string]struct {
		ask    protocol.ReadPack
		answer protocol.PackContent
		sent   []byte
		right  bool
	}{
		"a range":          {protocol.ReadPack{Offset: 2, Length: 3}, protocol.PackContent{Size: 10, Offset: 2}, pack[2:5], true},
		"up to the end":    {protocol.ReadPack{Offset: 2}, protocol.PackContent{Size: 10, Offset: 2}, pack[2:], true},
		"another offset":   {protocol.ReadPack{Offset: 2, Length: 3}, protocol.PackContent{Size: 10, Offset: 3}, pack[3:6], false},
		"more than asked":  {protocol.ReadPack{Offset: 2, Length: 3}, protocol.PackContent{Size: 10, Offset: 2}, pack[2:6], false},
		"more than is had": {protocol.ReadPack{Offset: 8}, protocol.PackContent{Size: 9, Offset: 8}, pack[8:], false},
	} {
		c := serve(t, func(protocol.RequestHeader, []byte) []byte {
			return append(protocol.AppendResponse(nil, &tt.answer, uint32(len(tt.sent))), tt.sent...)
		})
		_, content, err := c.ReadPack(t.Context(), protocol.ClientID{}, tt.ask)
		if (err == nil) != tt.right {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !tt.right {
			continue
		}
		if got, err := io.ReadAll(content); err != nil || !bytes.Equal(got, tt.sent) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
