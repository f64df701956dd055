package server

import (
	"context"
	"crypto/rand"
	"errors"

	"coffer/protocol"
	"coffer/store"
)

// errBaseClosed answers base requests of a client whose owner has other ways.
var errBaseClosed = broken(protocol.RuleBaseClosed, protocol.StatusForbidden, "the account takes no base requests")

// errNotHere answers requests that the other listener serves.
var errNotHere = refuse(protocol.StatusForbidden, "not served on this listener")

// baseAccess is what a connection remembers about the client of its base
// requests, until anyone's access changes.
type baseAccess struct {
	client store.ClientID
	epoch  uint64 // of accounts; 0: nothing is remembered
	closed bool
}

// address finds the client that a request is for. The gateway names clients by
// their API ids, which never travel on the public listener, and the public
// listener's ids mean nothing to it: neither is a credential on the other side.
func (c *conn) address(ctx context.Context, r *request) error {
	switch {
	case c.machine != nil:
		return c.addressMachine(r)
	case !c.internal, !c.gateway: // the latter is refused without being looked at
		return nil
	case r.code.IsBase():
		return errNotHere
	case r.client == store.ClientID{}:
		return nil
	}
	client, err := c.s.accounts.catalog.ClientByAPIID(ctx, store.APIID(r.client))
	if errors.Is(err, store.ErrNoClient) {
		return errNoClient
	}
	r.client = client.ID
	return err
}

// setBaseAccess opens or closes the client's account to base requests.
func (c *conn) setBaseAccess(ctx context.Context, r *request, m *protocol.SetBaseAccess) (protocol.Message, error) {
	return &protocol.Done{}, c.s.accounts.setBaseAccess(ctx, r.client, m.Open, "by its owner")
}

func (a *accounts) setBaseAccess(ctx context.Context, id store.ClientID, open bool, by string) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	was := false
	client, err := a.catalog.UpdateClient(ctx, id, func(c *store.Client) error {
		was, c.BaseClosed = !c.BaseClosed, !open
		return nil
	})
	a.epoch.Add(1)
	if err != nil {
		return err
	}
	if was != open {
		word := "refused"
		if open {
			word = "allowed"
		}
		a.log.Info("base requests are "+word, "client", id, "by", by)
		a.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivityAccess, Outcome: store.OutcomeOK, Detail: "base requests are " + word + ", " + by})
	}
	return a.putRecord(ctx, client)
}

// makeAPIID gives the client a new id over HTTP. The one until now is dead, and
// so are the tokens that were given for it.
func (c *conn) makeAPIID(ctx context.Context, r *request, _ *protocol.MakeAPIID) (protocol.Message, error) {
	if c.internal {
		return nil, errNotHere
	}
	c.s.accounts.mu.RLock()
	defer c.s.accounts.mu.RUnlock()
	fresh := newAPIID()
	client, err := c.s.accounts.catalog.UpdateClient(ctx, r.client, func(client *store.Client) error {
		client.APIID = fresh
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.s.revoked.addAll(ctx, client.Name); err != nil {
		return nil, err
	}
	c.s.log.Info("API id made", "client", r.client)
	c.s.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivityAccess, Outcome: store.OutcomeOK, Detail: "a new id for the HTTP API"})
	return &protocol.APIIDMade{ID: protocol.ClientID(fresh)}, c.s.accounts.putRecord(ctx, client)
}

func newAPIID() (id store.APIID) {
	rand.Read(id[:])
	return id
}

func (c *conn) getIdentity(ctx context.Context, r *request, _ *protocol.GetIdentity) (protocol.Message, error) {
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	return &protocol.Identity{Client: protocol.ClientID(r.client), BaseOpen: !client.BaseClosed, HasAPIID: !client.APIID.IsZero()}, nil
}
