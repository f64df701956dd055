package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
)

// Bounds of machines.
const (
	maxMachines      = 256  // of an account, removed ones included that began labels
	maxMachineLabels = 1000 // that one machine begins
	machineUsedEvery = time.Minute
)

var (
	errMachineOnly  = refuse(protocol.StatusForbidden, "this machine can only send: it makes snapshots, and neither reads nor changes anything else")
	errNoMachine    = refuse(protocol.StatusForbidden, "the account has no such machine, or its owner removed it")
	errOthersLabel  = refuse(protocol.StatusForbidden, "name: this machine did not begin the snapshots of that name, so it can neither see nor continue them")
	errMachineFirst = refuse(protocol.StatusConflict, "a machine needs a connection to itself")
)

// A machine is the send-only machine that a connection is for. Its id stands
// in each header, and its account's never does, so that whoever has the machine
// does not learn what base requests are authorized by.
type machine struct {
	id     store.MachineID
	client store.ClientID
	name   string
	key    crypt.SessionKey
	proven bool
}

// machines are the machines that accounts let send, and the labels that they
// began.
type machines struct {
	catalog  machineCatalog
	accounts *accounts
	keys     *keys
}

// A machineCatalog is what machines ask of the catalog.
type machineCatalog interface {
	store.Machines
	Run(ctx context.Context, client store.ClientID, id store.RunID) (store.Run, error)
	Version(ctx context.Context, id store.ClientID, name string, number uint32) (store.Version, error)
}

// openMachine gives a machine a session key, wrapped for its public key. From
// then on, the connection serves nobody else.
func (c *conn) openMachine(ctx context.Context, r *request, _ *protocol.OpenMachine) (protocol.Message, error) {
	switch {
	case c.internal:
		return nil, errNotHere
	case c.machine != nil || c.holder != nil:
		return nil, errMachineFirst
	}
	m, err := c.s.machines.one(ctx, store.MachineID(r.client))
	if err != nil {
		return nil, err
	}
	if c.s.suspended.has(m.Client) {
		return nil, errSuspended
	}
	pub, _, err := crypt.ParsePublicKey(m.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("read a machine's public key: %w", err)
	}
	hash, err := crypt.ParseOAEPHash(m.OAEPHash)
	if err != nil {
		return nil, err
	}
	key, err := crypt.NewSessionKey()
	if err != nil {
		return nil, err
	}
	wrapped, err := crypt.Wrap(pub, hash, key)
	if err != nil {
		return nil, fmt.Errorf("wrap a machine's session key: %w", err)
	}
	c.machine = &machine{id: m.ID, client: m.Client, name: m.Name, key: key}
	c.s.connections.keyed(c)
	return &protocol.SessionKeyIssued{OAEPHash: wireHash(hash), WrappedKey: wrapped}, nil
}

// one finds a machine that may send.
func (ms *machines) one(ctx context.Context, id store.MachineID) (store.Machine, error) {
	m, err := ms.catalog.Machine(ctx, id)
	if errors.Is(err, store.ErrNoMachine) || err == nil && (!m.Removed.IsZero() || protocol.Rights(m.Rights)&protocol.RightSend == 0) {
		return m, errNoMachine
	}
	return m, err
}

// proveMachine is prove on a machine's connection. Machines count for
// themselves among the connections, so that one of them cannot keep its owner
// out.
func (c *conn) proveMachine(ctx context.Context, challenge []byte, m *protocol.Prove) (protocol.Message, error) {
	if !c.machine.key.VerifyProof(challenge, m.Proof[:]) {
		return nil, refuse(protocol.StatusUnauthenticated, "the proof is not of the session key that this connection took for this machine")
	}
	if err := c.s.connections.prove(c, store.ClientID(c.machine.id)); err != nil {
		return nil, err
	}
	c.machine.proven = true
	c.s.journal.note(store.Activity{Kind: store.ActivitySignIn, Outcome: store.OutcomeOK, Client: c.machine.client, Name: c.s.journal.nameOf(ctx, c.machine.client),
		Address: c.peer.address, Detail: "the machine " + c.machine.name})
	return &protocol.Done{}, nil
}

// addressMachine finds the account that a machine's request is for.
func (c *conn) addressMachine(r *request) error {
	if r.client != store.ClientID(c.machine.id) {
		return errMachineFirst
	}
	r.client = c.machine.client
	return nil
}

// authorizeMachine decides whether a machine may make a request. Which labels
// the request is about, its handler looks at.
func (c *conn) authorizeMachine(ctx context.Context, r *request) error {
	switch {
	case r.code == protocol.CodeChallenge, r.code == protocol.CodeProve:
	case !r.code.ForMachines():
		return errMachineOnly
	case !c.machine.proven:
		return refuse(protocol.StatusUnauthenticated, "the connection has not proven to hold a session key of this machine")
	}
	m, err := c.s.machines.one(ctx, c.machine.id)
	if err != nil {
		return err
	}
	if c.s.suspended.has(r.client) {
		return errSuspended
	}
	if now := time.Now(); c.machine.proven && now.Sub(m.Used).Abs() >= machineUsedEvery {
		return c.s.machines.catalog.TouchMachine(ctx, m.ID, now)
	}
	return nil
}

// mayRead refuses to show a machine snapshots that it did not make. A name that
// nobody has is no secret: there is nothing to see.
func (ms *machines) mayRead(ctx context.Context, r *request, name string) error {
	if r.machine == nil {
		return nil
	}
	by, err := ms.catalog.LabelMachine(ctx, r.client, name)
	switch {
	case err != nil:
		return err
	case by == r.machine.id:
		return nil
	case by != store.MachineID{}:
		return errOthersLabel
	}
	if _, err = ms.catalog.Version(ctx, r.client, name, 0); err == nil {
		err = errOthersLabel
	} else if errors.Is(err, store.ErrNoFile) {
		err = nil
	}
	return err
}

// mayRun refuses a machine a run that is not about a label that it began.
func (ms *machines) mayRun(ctx context.Context, r *request, id protocol.RunID) error {
	if r.machine == nil {
		return nil
	}
	run, err := ms.catalog.Run(ctx, r.client, store.RunID(id))
	if err != nil {
		return runError(err)
	}
	return ms.ownsLabel(ctx, r, run.Name)
}

// ownsLabel refuses a machine a label that it did not begin.
func (ms *machines) ownsLabel(ctx context.Context, r *request, name string) error {
	if r.machine == nil {
		return nil
	}
	by, err := ms.catalog.LabelMachine(ctx, r.client, name)
	if err == nil && by != r.machine.id {
		err = errOthersLabel
	}
	return err
}

// claimLabel notes that a machine begins a label, if it does.
func (ms *machines) claimLabel(ctx context.Context, r *request, name string) error {
	if r.machine == nil || ms.ownsLabel(ctx, r, name) == nil {
		return nil
	}
	m, err := ms.one(ctx, r.machine.id)
	if err != nil {
		return err
	}
	if m.Labels >= maxMachineLabels {
		return refuse(protocol.StatusTooMany, fmt.Sprintf("too many names: one machine may begin %d", maxMachineLabels))
	}
	err = ms.catalog.ClaimLabel(ctx, r.client, r.machine.id, name)
	switch {
	case errors.Is(err, store.ErrNameTaken):
		return errOthersLabel
	case errors.Is(err, store.ErrNoMachine):
		return errNoMachine
	}
	return err
}

// by says in an activity that it was a machine.
func (r *request) by() string {
	if r.machine == nil {
		return ""
	}
	return ", by the machine " + r.machine.name
}

func (ms *machines) add(ctx context.Context, r *request, m *protocol.AddMachine) (protocol.Message, error) {
	switch {
	case m.Machine == protocol.MachineID{}:
		return nil, refuse(protocol.StatusInvalid, "machine: zeros; the client makes it at random")
	case m.Rights != protocol.RightSend:
		return nil, refuse(protocol.StatusInvalid, "rights: only sending is known")
	case !protocol.IsMachineName(m.Name):
		return nil, refuse(protocol.StatusInvalid, fmt.Sprintf("name: 1 to %d letters, digits, dots, hyphens and underscores, the first a letter", protocol.MaxMachineName))
	}
	pub, der, err := crypt.ParsePublicKey(m.DER)
	if err != nil {
		return nil, broken(protocol.RulePublicKey, protocol.StatusInvalid, "public key: "+err.Error())
	}
	ms.accounts.mu.RLock()
	defer ms.accounts.mu.RUnlock()
	client, err := ms.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	all, err := ms.catalog.ListMachines(ctx, r.client)
	if err != nil {
		return nil, err
	}
	if len(all) >= maxMachines {
		return nil, refuse(protocol.StatusTooMany, fmt.Sprintf("too many machines: an account may have %d", maxMachines))
	}
	written, ok := ms.accounts.space.Reserve(accountSize)
	if !ok {
		return nil, errNoSpace
	}
	defer written()
	err = ms.catalog.AddMachine(ctx, store.Machine{ID: store.MachineID(m.Machine), Client: r.client, Name: m.Name, PublicKey: der,
		OAEPHash: ms.keys.oaepHash(der).String(), Rights: uint8(m.Rights), Created: time.Now()})
	if errors.Is(err, store.ErrNameTaken) {
		return nil, refuse(protocol.StatusConflict, "name: the account has a machine of that name, or had one whose snapshots bear it")
	} else if err != nil {
		return nil, err
	}
	ms.accounts.log.Info("a machine may send", "client", r.client, "bits", pub.N.BitLen())
	ms.accounts.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivityAccess, Outcome: store.OutcomeOK, Detail: "the machine " + m.Name + " may send"})
	return &protocol.Done{}, nil
}

func (ms *machines) list(ctx context.Context, r *request, _ *protocol.ListMachines) (protocol.Message, error) {
	all, err := ms.catalog.ListMachines(ctx, r.client)
	if err != nil {
		return nil, err
	}
	list := &protocol.MachineList{}
	for _, m := range all {
		pub, _, err := crypt.ParsePublicKey(m.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("read a machine's public key: %w", err)
		}
		list.Machines = append(list.Machines, protocol.MachineEntry{Machine: protocol.MachineID(m.ID), Rights: protocol.Rights(m.Rights),
			Fingerprint: crypt.Fingerprint(pub), Created: m.Created, Used: m.Used, Removed: m.Removed, Labels: uint32(m.Labels), Name: m.Name})
	}
	return list, nil
}

// remove takes a machine's rights away. Its connections find that out
// with their next request.
func (ms *machines) remove(ctx context.Context, r *request, m *protocol.RemoveMachine) (protocol.Message, error) {
	client, err := ms.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	was, err := ms.catalog.Machine(ctx, store.MachineID(m.Machine))
	if err == nil {
		err = ms.catalog.RemoveMachine(ctx, r.client, was.ID, time.Now())
	}
	if errors.Is(err, store.ErrNoMachine) {
		return nil, refuse(protocol.StatusNotFound, "no such machine")
	} else if err != nil {
		return nil, err
	}
	if was.Removed.IsZero() {
		ms.accounts.log.Info("a machine was removed", "client", r.client)
		ms.accounts.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivityAccess, Outcome: store.OutcomeOK, Detail: "the machine " + was.Name + " was removed"})
	}
	return &protocol.Done{}, nil
}
