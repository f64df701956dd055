package client

import (
	"context"

	"coffer/protocol"
)

// SetBaseAccess says whether base requests are served for the client: 1054.
func (c *Conn) SetBaseAccess(ctx context.Context, id protocol.ClientID, open bool) error {
	return c.call(ctx, id, &protocol.SetBaseAccess{Open: open}, new(protocol.Done))
}

// MakeAPIID makes a new id that names the client over HTTP: 1055.
func (c *Conn) MakeAPIID(ctx context.Context, id protocol.ClientID) (protocol.ClientID, error) {
	answer, err := ask[protocol.APIIDMade](ctx, c, id, &protocol.MakeAPIID{})
	if err != nil {
		return protocol.ClientID{}, err
	}
	return answer.ID, nil
}

// GetIdentity returns how the core knows the client: 1056.
func (c *Conn) GetIdentity(ctx context.Context, id protocol.ClientID) (*protocol.Identity, error) {
	return ask[protocol.Identity](ctx, c, id, &protocol.GetIdentity{})
}
