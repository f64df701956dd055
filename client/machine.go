package client

import (
	"context"
	"errors"

	"coffer/protocol"
)

// ErrNoMachines: the server is from before send-only machines.
var ErrNoMachines = errors.New("the server does not know send-only machines: it needs a newer version")

// noMachines says what a server means that does not know a request.
func noMachines(err error) error {
	if errors.Is(err, ErrRefused) {
		return ErrNoMachines
	}
	return err
}

// OpenMachine asks for a session key of a machine, which Prove then shows: 1097.
func (c *Conn) OpenMachine(ctx context.Context, id protocol.MachineID) (*protocol.SessionKeyIssued, error) {
	issued, err := ask[protocol.SessionKeyIssued](ctx, c, protocol.ClientID(id), &protocol.OpenMachine{})
	return issued, noMachines(err)
}

// AddMachine adds a machine to the account: 1098. It can be repeated.
func (c *Conn) AddMachine(ctx context.Context, id protocol.ClientID, m protocol.AddMachine) error {
	return noMachines(c.call(ctx, id, &m, new(protocol.Done)))
}

// ListMachines lists the account's machines: 1099.
func (c *Conn) ListMachines(ctx context.Context, id protocol.ClientID) ([]protocol.MachineEntry, error) {
	list, err := ask[protocol.MachineList](ctx, c, id, &protocol.ListMachines{})
	if err != nil {
		return nil, noMachines(err)
	}
	return list.Machines, nil
}

// RemoveMachine takes a machine's rights away: 1100.
func (c *Conn) RemoveMachine(ctx context.Context, id protocol.ClientID, machine protocol.MachineID) error {
	return noMachines(c.call(ctx, id, &protocol.RemoveMachine{Machine: machine}, new(protocol.Done)))
}
