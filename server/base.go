package server

import (
	"context"
	"errors"

	"coffer/protocol"
	"coffer/server/upload"
	"coffer/store"
)

// BaseSessions says what a session key of the base protocol belongs to.
type BaseSessions string

// What there is to choose from.
const (
	// PerConnection: to the connection that it was given on. Whoever knows a
	// client's id, which stands in every header, can do nothing with it on
	// another one.
	PerConnection BaseSessions = "connection"
	// PerClient: to the client, on whatever connection its id comes, for a
	// client that does not take a key on each connection. Whoever knows the id
	// can then send, confirm and disturb in its name.
	PerClient BaseSessions = "client"
)

// admitBase decides whether a client's base request is served. It is the one
// place that does: each request comes by here before it is read. A client id is
// no secret, so accounts that have better ways are closed to what it alone
// authorizes.
func (c *conn) admitBase(ctx context.Context, code protocol.Code, id store.ClientID) error {
	switch code {
	case protocol.CodeRegister:
		return nil // there is no id yet
	case protocol.CodeReconnect:
		return c.awaitTurn(ctx, id) // it may lead to a proof
	case protocol.CodeSendPublicKey:
		if err := c.awaitTurn(ctx, id); err != nil {
			return err
		}
	}
	epoch := c.s.accounts.epoch.Load()
	if c.access.epoch == epoch && c.access.client == id && code != protocol.CodeSendPublicKey {
		if c.access.closed {
			return errBaseClosed
		}
		return nil
	}
	client, err := c.s.accounts.catalog.Client(ctx, id)
	if errors.Is(err, store.ErrNoClient) {
		return nil // who serves the request says so
	}
	if err != nil {
		return err
	}
	c.access = baseAccess{client: id, epoch: epoch, closed: client.BaseClosed}
	if client.BaseClosed && (code != protocol.CodeSendPublicKey || client.PublicKey != nil) {
		return errBaseClosed
	}
	return nil
}

// baseOwner is whose the session and the uploads of base requests are.
func (c *conn) baseOwner() owner {
	if c.s.cfg.BaseSessions == PerClient {
		return upload.AnyConn
	}
	return c.number
}

// origin is where guesses count that come by this connection: at its peer, or
// at the caller that the gateway named.
func (c *conn) origin() network { return c.client().network }

// namedOwner is whose the uploads are that a request names by their file.
func (c *conn) namedOwner() owner {
	if c.internal {
		return upload.Gateway
	}
	return c.baseOwner()
}

// hold notes the session key that was taken on this connection, which ends
// what the connection held before for another client.
func (c *conn) hold(id store.ClientID, sess session) {
	if c.holder != nil && *c.holder != id {
		c.s.sessions.release(*c.holder, c.number)
	}
	c.holder = &id
	c.s.connections.keyed(c)
	if o := c.baseOwner(); o != c.number {
		c.s.sessions.put(id, o, sess)
	}
}

// leave ends what belongs to the connection: its session, and the uploads that
// no other connection can continue.
func (c *conn) leave(ctx context.Context) {
	if c.holder != nil {
		c.s.sessions.release(*c.holder, c.number)
	}
	c.s.newcomers.left(c.number)
	c.s.uploads.DropOwned(context.WithoutCancel(ctx), c.number)
}
