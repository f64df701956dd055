package client

import (
	"context"

	"coffer/protocol"
)

// Register asks for a client id under a name that nobody has: 1025. It fails
// with [ErrNameRefused] where the name is taken or not acceptable.
func (c *Conn) Register(ctx context.Context, name string) (protocol.ClientID, error) {
	field, err := protocol.NewField(name)
	if err != nil {
		return protocol.ClientID{}, err
	}
	answer, err := ask[protocol.Registered](ctx, c, protocol.ClientID{}, &protocol.Register{Name: field})
	if err != nil {
		return protocol.ClientID{}, err
	}
	return answer.Client, nil
}
