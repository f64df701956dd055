package client

import (
	"context"
	"errors"

	"coffer/protocol"
)

// Register asks for a client id under a name that nobody has: 1025. Where the
// server says why it refused, the error is a [protocol.Failure] too; it always
// is [ErrNameRefused] where the name is taken or not acceptable, or registration
// is closed.
func (c *Conn) Register(ctx context.Context, name string) (protocol.ClientID, error) {
	field, err := protocol.NewField(name)
	if err != nil {
		return protocol.ClientID{}, err
	}
	answer, err := ask[protocol.Registered](ctx, c, protocol.ClientID{}, &protocol.Register{Name: field})
	if errors.Is(err, ErrNameRefused) || errors.Is(err, ErrRefused) {
		return protocol.ClientID{}, c.explain(ctx, err)
	}
	if err != nil {
		return protocol.ClientID{}, err
	}
	return answer.Client, nil
}

// explain asks why a registration was refused: 1057. If the server does not
// answer, the refusal stays as it is.
func (c *Conn) explain(ctx context.Context, refusal error) error {
	var why *protocol.Failure
	err := c.call(ctx, protocol.ClientID{}, &protocol.GetRefusal{}, new(protocol.Done))
	if !errors.As(err, &why) {
		return refusal
	}
	return explained{why, refusal}
}

// An explained refusal says why, in place of what it might be.
type explained struct {
	*protocol.Failure
	refusal error
}

func (e explained) Unwrap() []error { return []error{e.Failure, e.refusal} }
