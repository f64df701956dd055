// Package remote is a server as a repository of snapshots: what [take.Repository],
// [view.Repository] and [mend.Repository] ask for, over an account's session, which connects anew
// when its connection breaks.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/time/rate"

	"coffer/client"
	"coffer/protocol"
	"coffer/snapshot"
	"coffer/snapshot/mend"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// A Repository is one account's at a server.
type Repository struct {
	session *client.Session
	limit   *rate.Limiter // nil: packs are sent as fast as they can be
}

var (
	_ mend.Repository = (*Repository)(nil)
	_ take.Repository = (*Repository)(nil)
	_ view.Repository = (*Repository)(nil)
)

// New makes a repository of a session. Limit is how many bytes of packs are sent
// in a second at most; 0 is no limit.
func New(session *client.Session, limit uint64) *Repository {
	r := &Repository{session: session}
	if limit > 0 {
		r.limit = rate.NewLimiter(rate.Limit(limit), pieceSize)
	}
	return r
}

// do calls f with a connection until it does not break.
func (r *Repository) do(ctx context.Context, f func(*client.Conn, protocol.ClientID) error) error {
	err := r.session.Do(ctx, func(conn *client.Conn) error { return f(conn, r.session.Client()) })
	if client.IsStatus(err, protocol.StatusNotFound) {
		err = fmt.Errorf("%w: %w", view.ErrNotFound, err)
	}
	return err
}

// Newest is the newest snapshot of a name.
func (r *Repository) Newest(ctx context.Context, name string) (newest *take.Newest, err error) {
	err = r.Snapshots(ctx, name, false, func(l view.Listed) error {
		newest = &take.Newest{Version: l.Version, Digest: l.Digest, Run: l.Run, Head: l.Head}
		return nil
	})
	return newest, err
}

// Begin begins a run.
func (r *Repository) Begin(ctx context.Context, run snapshot.RunID, name string, base uint32) error {
	return r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		_, err := conn.BeginRun(ctx, id, protocol.BeginRun{Run: protocol.RunID(run), Base: base, Name: name})
		return err
	})
}

// Missing are those of some packs that are not there.
func (r *Repository) Missing(ctx context.Context, run snapshot.RunID, packs []snapshot.PackID) (missing []snapshot.PackID, err error) {
	for ids := range slices.Chunk(packs, protocol.MaxAskPacks) {
		err := r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
			answer, err := conn.AskPacks(ctx, id, protocol.RunID(run), toWire(ids))
			if err == nil {
				missing = append(missing, fromWire(answer)...)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

func toWire(ids []snapshot.PackID) []protocol.PackID {
	wire := make([]protocol.PackID, len(ids))
	for i, id := range ids {
		wire[i] = protocol.PackID(id)
	}
	return wire
}

func fromWire(wire []protocol.PackID) []snapshot.PackID {
	ids := make([]snapshot.PackID, len(wire))
	for i, id := range wire {
		ids[i] = snapshot.PackID(id)
	}
	return ids
}

// Put returns once a pack is on stable storage.
func (r *Repository) Put(ctx context.Context, run snapshot.RunID, pack snapshot.PackID, sealed []byte) error {
	return r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		content := &pieces{ctx: ctx, rest: sealed, limit: r.limit}
		return conn.PutPack(ctx, id, protocol.RunID(run), protocol.PackID(pack), content, uint32(len(sealed)))
	})
}

// pieceSize is how much of a pack is sent at once, in bytes.
const pieceSize = 256 << 10

// pieces reads a pack no faster than a limit.
type pieces struct {
	ctx   context.Context
	rest  []byte
	limit *rate.Limiter
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(to, p.rest[:min(len(p.rest), pieceSize)])
	if p.limit != nil {
		if err := p.limit.WaitN(p.ctx, n); err != nil {
			return 0, err
		}
	}
	p.rest = p.rest[n:]
	return n, nil
}

// Commit makes the next version.
func (r *Repository) Commit(ctx context.Context, c take.Commit) (version uint32, missing []snapshot.PackID, err error) {
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		committed, lost, err := conn.CommitSnapshot(ctx, id, client.SnapshotCommit{
			Run: protocol.RunID(c.Run), Name: c.Name, Before: c.Before, Base: c.Base, Head: c.Head, Manifest: c.Manifest,
			Added: client.PackIDsOf(toWire(c.Added)), Dropped: client.PackIDsOf(toWire(c.Dropped)),
		})
		version, missing = committed, fromWire(lost)
		return err
	})
	if client.IsStatus(err, protocol.StatusConflict) {
		err = fmt.Errorf("%w: %w", take.ErrConflict, err)
	}
	return version, missing, err
}

// End gives a run up.
func (r *Repository) End(ctx context.Context, run snapshot.RunID) error {
	return r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		return conn.EndRun(ctx, id, protocol.RunID(run))
	})
}

// Snapshots lists snapshots.
func (r *Repository) Snapshots(ctx context.Context, name string, all bool, f func(view.Listed) error) error {
	m := protocol.ListSnapshots{Limit: protocol.MaxListSnapshots, AllVersions: all, Only: name}
	for {
		var page *protocol.SnapshotList
		err := r.do(ctx, func(conn *client.Conn, id protocol.ClientID) (err error) {
			page, err = conn.ListSnapshots(ctx, id, m)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page.Snapshots {
			if !follows(m, e) {
				return fmt.Errorf("%w: a list out of order", client.ErrProtocol)
			}
			m.AfterName, m.AfterVersion = e.Name, e.Version
			if err := f(listed(e)); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		if len(page.Snapshots) == 0 {
			return fmt.Errorf("%w: an empty page before the last", client.ErrProtocol)
		}
	}
}

// follows reports whether an entry has its place behind the last one that was
// listed, so that a list ends at some time, and is of the name asked for.
func follows(m protocol.ListSnapshots, e protocol.SnapshotEntry) bool {
	switch {
	case e.Version == 0 || m.Only != "" && e.Name != m.Only:
		return false
	case e.Name > m.AfterName:
		return true
	}
	return m.AllVersions && e.Name == m.AfterName && e.Version < m.AfterVersion
}

func listed(e protocol.SnapshotEntry) view.Listed {
	return view.Listed{
		Name: e.Name, Version: e.Version, Digest: snapshot.ManifestDigest(e.SHA256), Run: snapshot.RunID(e.Run), Head: e.Head,
		Created: e.Created, Stored: e.Size, Packs: e.Packs, PackBytes: e.Bytes, Damaged: e.Damaged,
	}
}

// Manifest is that of a version.
func (r *Repository) Manifest(ctx context.Context, name string, version uint32) (number uint32, manifest []byte, err error) {
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		m := protocol.ReadFile{Version: version, Length: protocol.MaxManifest, Name: name}
		answer, content, err := conn.ReadFile(ctx, id, m)
		if err != nil {
			return err
		}
		defer content.Close()
		if answer.Size > protocol.MaxManifest {
			return fmt.Errorf("%w: a manifest of %d bytes", client.ErrProtocol, answer.Size)
		}
		number = answer.Version
		manifest, err = io.ReadAll(content)
		return err
	})
	return number, manifest, err
}

// ReadPack reads a range of a pack.
func (r *Repository) ReadPack(ctx context.Context, pack snapshot.PackID, offset int64, length int) (content []byte, err error) {
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		_, body, err := conn.ReadPack(ctx, id, protocol.ReadPack{ID: protocol.PackID(pack), Offset: uint64(offset), Length: uint32(length)})
		if err != nil {
			return err
		}
		defer body.Close()
		content, err = io.ReadAll(io.LimitReader(body, int64(length)))
		return err
	})
	switch {
	case client.IsStatus(err, protocol.StatusInvalid): // the pack ends before the range begins
		return nil, nil
	case client.IsStatus(err, protocol.StatusConflict): // the server knows that it is damaged
		err = fmt.Errorf("%w: %w", view.ErrDamaged, err)
	}
	return content, err
}

// SnapshotPacks are the packs that a version needs.
func (r *Repository) SnapshotPacks(ctx context.Context, name string, version uint32, f func(snapshot.PackID, uint64) error) error {
	m := protocol.SnapshotPacks{Version: version, Limit: protocol.MaxListPacks, Name: name}
	for {
		var page *protocol.PackList
		err := r.do(ctx, func(conn *client.Conn, id protocol.ClientID) (err error) {
			page, err = conn.SnapshotPacks(ctx, id, m)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range page.Packs {
			if p.Ordinal <= m.After {
				return fmt.Errorf("%w: a list of packs out of order", client.ErrProtocol)
			}
			m.After = p.Ordinal
			if err := f(snapshot.PackID(p.ID), p.Size); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		if len(page.Packs) == 0 {
			return fmt.Errorf("%w: an empty page before the last", client.ErrProtocol)
		}
	}
}

// Mends are the mend records of a version.
func (r *Repository) Mends(ctx context.Context, name string, version uint32) (records [][]byte, err error) {
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) (err error) {
		records, err = conn.ListMends(ctx, id, name, version)
		return err
	})
	return records, err
}

// Mend adds a mend record to a version.
func (r *Repository) Mend(ctx context.Context, m mend.Record) (missing []snapshot.PackID, err error) {
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		lost, err := conn.Mend(ctx, id, protocol.MendSnapshot{
			Run: protocol.RunID(m.Run), Version: m.Version, Added: toWire(m.Packs), Name: m.Name, Record: m.Sealed,
		})
		missing = fromWire(lost)
		return err
	})
	return missing, err
}

// Verified reports that a version was read and found right.
func (r *Repository) Verified(ctx context.Context, name string, version, packs uint32, bytes uint64) error {
	return r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		return conn.ReportVerified(ctx, id, protocol.ReportVerified{Version: version, Packs: packs, Bytes: bytes, Name: name})
	})
}

// Check has the server read a pack back that is not as it was put.
func (r *Repository) Check(ctx context.Context, pack snapshot.PackID) error {
	err := r.do(ctx, func(conn *client.Conn, id protocol.ClientID) error {
		return conn.CheckPack(ctx, id, protocol.PackID(pack))
	})
	if client.IsStatus(err, protocol.StatusConflict) {
		return nil // it is damaged, which the server knows by now
	}
	return err
}

// A Run is one that has not ended.
type Run = protocol.RunEntry

// Runs returns the runs that have not ended.
func (r *Repository) Runs(ctx context.Context) (runs []Run, err error) {
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) (err error) {
		runs, err = conn.ListRuns(ctx, id)
		return err
	})
	return runs, err
}

// Machines are the send-only machines of the account, removed ones included
// whose snapshots there may be.
func (r *Repository) Machines(ctx context.Context) (machines []view.Machine, err error) {
	var list []protocol.MachineEntry
	err = r.do(ctx, func(conn *client.Conn, id protocol.ClientID) (err error) {
		list, err = conn.ListMachines(ctx, id)
		return err
	})
	for _, m := range list {
		machines = append(machines, view.Machine{ID: snapshot.MachineID(m.Machine), Name: m.Name})
	}
	if errors.Is(err, client.ErrNoMachines) {
		return nil, nil
	}
	return machines, err
}

// Known reports whether the server knows snapshots.
func (r *Repository) Known(ctx context.Context) (bool, error) {
	_, err := r.Newest(ctx, "s/00000000000000000000000000000000")
	if errors.Is(err, client.ErrNoSnapshots) {
		return false, nil
	}
	return err == nil, err
}
