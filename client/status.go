package client

import (
	"context"

	"coffer/protocol"
)

// GetStatus returns the state of the core, over a gateway's connection: 1069.
func (c *Conn) GetStatus(ctx context.Context) (*protocol.ServerStatus, error) {
	return ask[protocol.ServerStatus](ctx, c, protocol.ClientID{}, &protocol.GetStatus{})
}
