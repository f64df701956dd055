package client

import (
	"context"
	"errors"

	"coffer/protocol"
)

// BeginRun begins the run m.Run, or continues it: 1084. It returns
// [ErrNoSnapshots] if the server does not know snapshots.
func (c *Conn) BeginRun(ctx context.Context, id protocol.ClientID, m protocol.BeginRun) (*protocol.RunBegun, error) {
	return askNew[protocol.RunBegun](ctx, c, id, &m)
}

// EndRun gives a run up: 1091.
func (c *Conn) EndRun(ctx context.Context, id protocol.ClientID, run protocol.RunID) error {
	return knows(c.call(ctx, id, &protocol.EndRun{Run: run}, new(protocol.Done)))
}

// ListRuns lists the client's unfinished runs: 1092.
func (c *Conn) ListRuns(ctx context.Context, id protocol.ClientID) ([]protocol.RunEntry, error) {
	answer, err := askNew[protocol.RunList](ctx, c, id, &protocol.ListRuns{})
	if err != nil {
		return nil, err
	}
	return answer.Runs, nil
}

// askNew is ask for a request that an earlier server does not know.
func askNew[T any, M interface {
	*T
	protocol.Decoder
}](ctx context.Context, c *Conn, id protocol.ClientID, request protocol.Message) (*T, error) {
	answer, err := ask[T, M](ctx, c, id, request)
	return answer, knows(err)
}

// knows is the error of a request about snapshots: a code that a server does
// not know it answers with 1607, which no server that knows it does.
func knows(err error) error {
	if errors.Is(err, ErrRefused) {
		return ErrNoSnapshots
	}
	return err
}
