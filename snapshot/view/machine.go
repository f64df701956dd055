package view

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"coffer/snapshot"
)

// A Machine is one that sends to an account, and keys its labels for itself. A
// label of a machine is written LABEL@MACHINE.
type Machine struct {
	ID   snapshot.MachineID
	Name string
}

// A writer is whose snapshots are read: the owner, or a machine.
type writer struct {
	name string // of the machine; "": the owner
	keys *snapshot.Keys
}

// machines are the account's.
func (k Keys) machines(ctx context.Context) ([]Machine, error) {
	if k.Machines == nil {
		return nil, nil
	}
	all, err := k.Machines(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the account's machines: %w", err)
	}
	return all, nil
}

// writer is who wrote a label, and what the label is without its machine. An @
// before something else than the name of a machine is part of the label.
func (k Keys) writer(ctx context.Context, label string) (w writer, bare string, err error) {
	var id snapshot.MachineID
	bare = label
	if at := strings.LastIndexByte(label, '@'); at > 0 {
		all, err := k.machines(ctx)
		if err != nil {
			return w, "", err
		}
		for _, m := range all {
			if m.Name == label[at+1:] {
				id, w.name, bare = m.ID, m.Name, label[:at]
			}
		}
	}
	w.keys, err = k.Of(id)
	return w, bare, err
}

// WireName is what the server knows a label as, which may be that of a machine.
func (k Keys) WireName(ctx context.Context, label string) (string, error) {
	w, bare, err := k.writer(ctx, label)
	if err != nil {
		return "", err
	}
	return w.keys.WireName(bare), nil
}

// writers open heads: those of one name, or of all that the account's keys are
// for.
type writers struct {
	of   Keys
	name string // on the wire; "": all
	list []writer
	all  bool // the machines are in the list
}

// writers are those of a label, or of all labels for "".
func (k Keys) writers(ctx context.Context, label string) (*writers, error) {
	w, bare, err := k.writer(ctx, label)
	if err != nil {
		return nil, err
	}
	ws := &writers{of: k, list: []writer{w}}
	if label != "" {
		ws.name, ws.all = w.keys.WireName(bare), true
	}
	return ws, nil
}

// open opens the head of a snapshot. Bad is why none of the keys does.
func (ws *writers) open(ctx context.Context, l Listed) (s Summary, bad, err error) {
	if s, bad = ws.try(l); !errors.Is(bad, snapshot.ErrForged) || ws.all {
		return s, bad, nil
	}
	machines, err := ws.of.machines(ctx)
	if err != nil {
		return s, bad, err
	}
	for _, m := range machines {
		keys, err := ws.of.Of(m.ID)
		if err != nil {
			return s, bad, err
		}
		ws.list = append(ws.list, writer{m.Name, keys})
	}
	ws.all = true
	s, bad = ws.try(l)
	return s, bad, nil
}

// try opens a head with each of the keys, the ones that opened the last one
// first.
func (ws *writers) try(l Listed) (s Summary, bad error) {
	s.Listed = l
	for i, w := range ws.list {
		head, err := snapshot.OpenHead(l.Head, w.keys, l.Name, l.Run)
		if err != nil {
			bad = err
			continue
		}
		if w.keys.WireName(head.Label) != l.Name {
			return s, ErrOther
		}
		if w.name != "" {
			head.Label += "@" + w.name
		}
		ws.list[0], ws.list[i] = ws.list[i], ws.list[0]
		s.Head, s.From = *head, w.name
		return s, nil
	}
	return s, bad
}
