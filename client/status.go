package client

import (
	"context"

	"coffer/protocol"
)

// Status asks the core, by way of the gateway's listener, how it is: 1069.
func (c *Conn) Status(ctx context.Context) (*protocol.ServerStatus, error) {
	return ask[protocol.ServerStatus](ctx, c, protocol.ClientID{}, &protocol.AskStatus{})
}
