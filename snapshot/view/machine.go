package view

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"coffer/snapshot"
)

// A Machine is one that sends to an account, and keys its labels for itself. A
// label of a machine is written LABEL@MACHINE, or LABEL@id and the machine's id
// in hexadecimal where the server has forgotten the machine.
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

// forgotten is the name of a machine that the server has forgotten.
func forgotten(id snapshot.MachineID) string { return "id" + hex.EncodeToString(id[:]) }

// parseForgotten is the machine of such a name.
func parseForgotten(name string) (id snapshot.MachineID, ok bool) {
	digits, ok := strings.CutPrefix(name, "id")
	if !ok || len(digits) != hex.EncodedLen(len(id)) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil
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
		if old, ok := parseForgotten(label[at+1:]); ok && w.name == "" {
			id, w.name, bare = old, label[at+1:], label[:at]
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
	repo Repository
	name string // on the wire; "": all
	list []writer
	all  bool            // the machines are in the list
	bad  map[string]bool // names on the wire that nobody's keys are for
}

// writers are those of a label, or of all labels for "".
func (k Keys) writers(ctx context.Context, repo Repository, label string) (*writers, error) {
	w, bare, err := k.writer(ctx, label)
	if err != nil {
		return nil, err
	}
	ws := &writers{of: k, repo: repo, list: []writer{w}, bad: map[string]bool{}}
	if label != "" {
		ws.name, ws.all = w.keys.WireName(bare), true
	}
	return ws, nil
}

// open opens the head of a snapshot. Bad is why none of the keys does.
func (ws *writers) open(ctx context.Context, l Listed) (s Summary, bad, err error) {
	if s, bad = ws.try(l); !errors.Is(bad, snapshot.ErrForged) || ws.name != "" {
		return s, bad, nil
	}
	if ws.all {
		return ws.discover(ctx, l, bad)
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
	if s, bad = ws.try(l); !errors.Is(bad, snapshot.ErrForged) {
		return s, bad, nil
	}
	return ws.discover(ctx, l, bad)
}

// discover finds a machine that the server has forgotten, by the manifest of a
// snapshot that it wrote.
func (ws *writers) discover(ctx context.Context, l Listed, bad error) (Summary, error, error) {
	if ws.bad[l.Name] {
		return Summary{Listed: l}, bad, nil
	}
	_, sealed, err := ws.repo.Manifest(ctx, l.Name, l.Version)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Summary{Listed: l}, bad, err
	}
	var w writer
	if err == nil {
		_, err = snapshot.OpenManifest(sealed, ws.of.Identity, func(m snapshot.MachineID) (_ *snapshot.Keys, err error) {
			w.name = forgotten(m)
			w.keys, err = ws.of.Of(m)
			return w.keys, err
		})
	}
	if err != nil || w.keys.Machine() == (snapshot.MachineID{}) {
		ws.bad[l.Name] = true
		return Summary{Listed: l}, bad, nil
	}
	ws.list = append(ws.list, w)
	s, bad := ws.try(l)
	ws.bad[l.Name] = bad != nil
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
