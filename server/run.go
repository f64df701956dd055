package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/protocol"
	"coffer/store"
)

var errNoRun = refuse(protocol.StatusNotFound, "no such run: it was ended, or made no request for too long; begin another")

func runError(err error) error {
	switch {
	case errors.Is(err, store.ErrNoRun):
		return errNoRun
	case errors.Is(err, store.ErrNoFile):
		return refuse(protocol.StatusNotFound, "base version: there is no such snapshot")
	}
	return err
}

var errNoSnapshot = refuse(protocol.StatusInvalid, `name: a snapshot's is "s/" and 32 hexadecimal digits`)

func (c *conn) beginRun(ctx context.Context, r *request, m *protocol.BeginRun) (protocol.Message, error) {
	switch {
	case !protocol.IsSnapshotName(m.Name):
		return nil, errNoSnapshot
	case m.Run == (protocol.RunID{}):
		return nil, refuse(protocol.StatusInvalid, "run: zeros; the client makes it at random")
	case c.s.cfg.Space.Low():
		return nil, errNoSpace
	}
	if err := c.roomForRun(ctx, r, m); err != nil {
		return nil, err
	}
	if err := c.s.mayBegin(ctx, r.client); err != nil {
		return nil, err
	}
	if err := c.claimLabel(ctx, r, m.Name); err != nil {
		return nil, err
	}
	if v, err := c.s.cfg.Catalog.Version(ctx, r.client, m.Name, 0); err == nil && protocol.Format(v.Format) != protocol.FormatSnapshot {
		return nil, refuse(protocol.StatusConflict, "name: a file has it that is no snapshot; remove or rename that first")
	} else if err != nil && !errors.Is(err, store.ErrNoFile) {
		return nil, err
	}
	now := time.Now()
	newest, err := c.s.cfg.Catalog.BeginRun(ctx, store.Run{ID: store.RunID(m.Run), Client: r.client, Name: m.Name, Base: m.Base, Begun: now, Seen: now})
	if err != nil {
		return nil, runError(err)
	}
	return &protocol.RunBegun{Newest: newest, TTL: c.s.Settings().RunTimeout, MaxPack: protocol.MaxPack}, nil
}

// roomForRun refuses a run too many, and one that is another than the one there
// is of its id.
func (c *conn) roomForRun(ctx context.Context, r *request, m *protocol.BeginRun) error {
	runs, err := c.s.cfg.Catalog.ListRuns(ctx, r.client)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.ID == store.RunID(m.Run) {
			if run.Name != m.Name || run.Base != m.Base {
				return refuse(protocol.StatusConflict, "run: there is one of this id, for another snapshot or base")
			}
			return nil
		}
	}
	most := c.s.cfg.MaxRuns
	if len(runs) < most {
		return nil
	}
	own, err := c.runsLike(ctx, r, runs)
	if err != nil {
		return err
	}
	if own >= most {
		return refuse(protocol.StatusTooMany, fmt.Sprintf("too many unfinished runs: an account may have %d; end one, or wait until it is forgotten", most))
	}
	return nil
}

// runsLike is how many of an account's runs are of who asks: of the machine, or
// of none. So none of them can take up the others' room.
func (c *conn) runsLike(ctx context.Context, r *request, runs []store.Run) (n int, err error) {
	var asks store.MachineID
	if c.machine != nil {
		asks = c.machine.id
	}
	for _, run := range runs {
		by, err := c.s.cfg.Catalog.LabelMachine(ctx, r.client, run.Name)
		if err != nil {
			return 0, err
		}
		if by == asks {
			n++
		}
	}
	return n, nil
}

func (c *conn) endRun(ctx context.Context, r *request, m *protocol.EndRun) (protocol.Message, error) {
	if err := c.mayRun(ctx, r, m.Run); err != nil && !errors.Is(err, errNoRun) {
		return nil, err
	}
	err := c.s.cfg.Catalog.EndRun(ctx, r.client, store.RunID(m.Run))
	if err != nil && !errors.Is(err, store.ErrNoRun) {
		return nil, err
	}
	c.s.sweeper.poke()
	return &protocol.Done{}, nil
}

func (c *conn) listRuns(ctx context.Context, r *request, _ *protocol.ListRuns) (protocol.Message, error) {
	runs, err := c.s.cfg.Catalog.ListRuns(ctx, r.client)
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
