package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/protocol"
	"coffer/server/settings"
	"coffer/store"
)

// runs are the snapshots that clients are making.
type runs struct {
	catalog  runCatalog
	intake   *intake
	machines *machines
	sweeper  *sweeper
	settings func() settings.Values
	most     int // of one client
}

// A runCatalog is what runs ask of the catalog.
type runCatalog interface {
	BeginRun(ctx context.Context, r store.Run) (newest uint32, err error)
	ListRuns(ctx context.Context, client store.ClientID) ([]store.Run, error)
	LabelMachine(ctx context.Context, client store.ClientID, name string) (store.MachineID, error)
	EndRun(ctx context.Context, client store.ClientID, id store.RunID) error
	Version(ctx context.Context, id store.ClientID, name string, number uint32) (store.Version, error)
}

var errNoRun = refuse(protocol.StatusNotFound, "no such run: it ended, or made no request for too long; begin a new one")

func runError(err error) error {
	switch {
	case errors.Is(err, store.ErrNoRun):
		return errNoRun
	case errors.Is(err, store.ErrNoFile):
		return refuse(protocol.StatusNotFound, "base version: no such snapshot")
	}
	return err
}

var errNoSnapshot = refuse(protocol.StatusInvalid, `name: a snapshot's is "s/" and 32 hexadecimal digits`)

func (rs *runs) begin(ctx context.Context, r *request, m *protocol.BeginRun) (protocol.Message, error) {
	switch {
	case !protocol.IsSnapshotName(m.Name):
		return nil, errNoSnapshot
	case m.Run == (protocol.RunID{}):
		return nil, refuse(protocol.StatusInvalid, "run: zeros; the client makes it at random")
	case rs.intake.space.Low():
		return nil, errNoSpace
	}
	if err := rs.room(ctx, r, m); err != nil {
		return nil, err
	}
	if err := rs.intake.mayBegin(ctx, r.client); err != nil {
		return nil, err
	}
	if err := rs.machines.claimLabel(ctx, r, m.Name); err != nil {
		return nil, err
	}
	if v, err := rs.catalog.Version(ctx, r.client, m.Name, 0); err == nil && protocol.Format(v.Format) != protocol.FormatSnapshot {
		return nil, refuse(protocol.StatusConflict, "name: it belongs to a file that is not a snapshot; remove or rename that file first")
	} else if err != nil && !errors.Is(err, store.ErrNoFile) {
		return nil, err
	}
	now := time.Now()
	newest, err := rs.catalog.BeginRun(ctx, store.Run{ID: store.RunID(m.Run), Client: r.client, Name: m.Name, Base: m.Base, Begun: now, Seen: now})
	if err != nil {
		return nil, runError(err)
	}
	return &protocol.RunBegun{Newest: newest, TTL: rs.settings().RunTimeout, MaxPack: protocol.MaxPack}, nil
}

// room refuses a run too many, and one that is another than the one there
// is of its id.
func (rs *runs) room(ctx context.Context, r *request, m *protocol.BeginRun) error {
	runs, err := rs.catalog.ListRuns(ctx, r.client)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.ID == store.RunID(m.Run) {
			if run.Name != m.Name || run.Base != m.Base {
				return refuse(protocol.StatusConflict, "run: this id belongs to a run for another snapshot or base")
			}
			return nil
		}
	}
	if len(runs) < rs.most {
		return nil
	}
	own, err := rs.like(ctx, r, runs)
	if err != nil {
		return err
	}
	if own >= rs.most {
		return refuse(protocol.StatusTooMany, fmt.Sprintf("too many unfinished runs: an account may have %d; end one, or wait until one times out", rs.most))
	}
	return nil
}

// like counts the account's runs that belong to the caller: to the machine, or to
// none. So no machine can use up the room of the others.
func (rs *runs) like(ctx context.Context, r *request, all []store.Run) (n int, err error) {
	var asks store.MachineID
	if r.machine != nil {
		asks = r.machine.id
	}
	for _, run := range all {
		by, err := rs.catalog.LabelMachine(ctx, r.client, run.Name)
		if err != nil {
			return 0, err
		}
		if by == asks {
			n++
		}
	}
	return n, nil
}

func (rs *runs) end(ctx context.Context, r *request, m *protocol.EndRun) (protocol.Message, error) {
	if err := rs.machines.mayRun(ctx, r, m.Run); err != nil && !errors.Is(err, errNoRun) {
		return nil, err
	}
	err := rs.catalog.EndRun(ctx, r.client, store.RunID(m.Run))
	if err != nil && !errors.Is(err, store.ErrNoRun) {
		return nil, err
	}
	rs.sweeper.poke()
	return &protocol.Done{}, nil
}

func (rs *runs) list(ctx context.Context, r *request, _ *protocol.ListRuns) (protocol.Message, error) {
	runs, err := rs.catalog.ListRuns(ctx, r.client)
	if err != nil {
		return nil, err
	}
	list := &protocol.RunList{}
	for _, run := range runs {
		list.Runs = append(list.Runs, protocol.RunEntry{Run: protocol.RunID(run.ID), Base: run.Base, Packs: uint32(run.Packs), Bytes: uint64(run.Bytes),
			Begun: run.Begun, Seen: run.Seen, Name: run.Name})
	}
	return list, nil
}
