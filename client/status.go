package client

import (
	"context"

	"coffer/protocol"
)

// Status asks the core, by way of the gateway's listener, how it is: 1069.
func (c *Conn) Status(ctx context.Context) (*protocol.ServerStatus, error) {
	return ask[protocol.ServerStatus](ctx, c, protocol.ClientID{}, &protocol.AskStatus{})
}

// Figures asks the core, by way of the gateway's listener, for what Status does
// not tell: 1081. A core of an earlier version fails it with StatusInvalid.
func (c *Conn) Figures(ctx context.Context) (*protocol.Figures, error) {
	return ask[protocol.Figures](ctx, c, protocol.ClientID{}, &protocol.AskFigures{})
}
