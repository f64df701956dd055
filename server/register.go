package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"coffer/protocol"
	"coffer/store"
)

func (c *conn) register(ctx context.Context, _ *request, m *protocol.Register) (protocol.Message, error) {
	c.refusal = nil
	id, err := c.registered(ctx, m)
	if err == nil {
		return &protocol.Registered{Client: protocol.ClientID(id)}, nil
	}
	if !errors.As(err, &c.refusal) || c.refusal.status == protocol.StatusTooMany || c.refusal.status == protocol.StatusNoSpace {
		return nil, err // the client may repeat the request unchanged
	}
	return nil, c.refusal.replying(&protocol.RegisterRefused{})
}

// registered registers a client of the wire.
func (c *conn) registered(ctx context.Context, m *protocol.Register) (store.ClientID, error) {
	name, err := c.s.text(&m.Name)
	if err != nil {
		return store.ClientID{}, err
	}
	if !c.internal && !c.s.registrations.allow(c.peer.network) {
		return store.ClientID{}, errRegistrations
	}
	id, err := c.s.accounts.add(ctx, store.Client{Name: name})
	if errors.Is(err, store.ErrNameTaken) {
		free, clearErr := c.s.removals.clearName(ctx, name, c.peer.network)
		if clearErr != nil {
			return id, clearErr
		}
		if free {
			id, err = c.s.accounts.add(ctx, store.Client{Name: name})
		}
	}
	if err == nil {
		c.s.newcomers.add(id, c, time.Now())
	}
	return id, err
}

// getRefusal says why the last registration on the connection was refused.
func (c *conn) getRefusal(context.Context, *request, *protocol.GetRefusal) (protocol.Message, error) {
	if c.refusal == nil {
		return &protocol.Done{}, nil
	}
	return c.refusal.failure(), nil
}

// add registers a client under a new id.
func (a *accounts) add(ctx context.Context, client store.Client) (store.ClientID, error) {
	if !a.settings().RegistrationOpen {
		return client.ID, refuse(protocol.StatusForbidden, "registration is closed")
	}
	if err := checkNewName(client.Name); err != nil {
		return client.ID, refuse(protocol.StatusInvalid, err.Error())
	}
	release, err := a.refuseLike(ctx, client.Name)
	if err != nil {
		return client.ID, err
	}
	defer release()
	written, ok := a.space.Reserve(accountSize)
	if !ok {
		return client.ID, errNoSpace
	}
	defer written()
	rand.Read(client.ID[:])
	client.Created = time.Now()
	client.LastSeen = client.Created
	a.mu.RLock()
	defer a.mu.RUnlock()
	err = a.catalog.AddClient(ctx, client)
	if errors.Is(err, store.ErrNameTaken) {
		return client.ID, fmt.Errorf("%w: %w", broken(protocol.RuleNameTaken, protocol.StatusConflict, "the name is taken"), err)
	}
	if err != nil {
		return client.ID, err
	}
	// Who only registered costs no file: the account record comes with the first
	// key, without which nothing can be stored.
	if client.PasswordHash != "" {
		if err := a.records.PutAccountRecord(ctx, store.AccountRecord{Client: client}); err != nil {
			return client.ID, err
		}
	}
	a.log.Info("registered", "client", client.ID)
	a.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivityRegistration, Outcome: store.OutcomeOK, Detail: client.Kind})
	return client.ID, nil
}

var errNoClient = broken(protocol.RuleUnknownClient, protocol.StatusUnauthenticated, "no such client")

// find finds who a request says it is from.
func (a *accounts) find(ctx context.Context, id store.ClientID) (store.Client, error) {
	client, err := a.catalog.Client(ctx, id)
	if errors.Is(err, store.ErrNoClient) {
		return client, errNoClient
	}
	if err != nil {
		return client, err
	}
	if client.Suspended {
		return client, errSuspended
	}
	return client, nil
}
