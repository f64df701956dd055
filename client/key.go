package client

import (
	"context"

	"coffer/protocol"
	"coffer/protocol/crypt"
)

// SendPublicKey brings the client's key, DER SubjectPublicKeyInfo: 1026. The
// answer is a session key wrapped for it. It fails with [ErrRefused].
func (c *Conn) SendPublicKey(ctx context.Context, id protocol.ClientID, name string, der []byte) (*protocol.KeyReceived, error) {
	field, err := protocol.NewField(name)
	if err != nil {
		return nil, err
	}
	return ask[protocol.KeyReceived](ctx, c, id, &protocol.SendPublicKey{Name: field, DER: der})
}

// Reconnect asks for a new session key: 1027. It fails with
// [ErrReconnectDenied].
func (c *Conn) Reconnect(ctx context.Context, id protocol.ClientID, name string) (*protocol.Reconnected, error) {
	field, err := protocol.NewField(name)
	if err != nil {
		return nil, err
	}
	return ask[protocol.Reconnected](ctx, c, id, &protocol.Reconnect{Name: field})
}

// Prove shows that this side holds the session key, which opens the extensions
// on this connection: 1032 and 1033.
func (c *Conn) Prove(ctx context.Context, id protocol.ClientID, key crypt.SessionKey) error {
	issued, err := ask[protocol.ChallengeIssued](ctx, c, id, &protocol.Challenge{})
	if err != nil {
		return err
	}
	return c.call(ctx, id, &protocol.Prove{Proof: key.Proof(issued.Challenge[:])}, new(protocol.Done))
}

// SetPublicKey brings a client's key by way of the gateway: 1067.
func (c *Conn) SetPublicKey(ctx context.Context, id protocol.ClientID, m protocol.SetPublicKey) (*protocol.SessionKeyIssued, error) {
	return ask[protocol.SessionKeyIssued](ctx, c, id, &m)
}

// NewSession asks for a new session key by way of the gateway: 1068.
func (c *Conn) NewSession(ctx context.Context, id protocol.ClientID) (*protocol.SessionKeyIssued, error) {
	return ask[protocol.SessionKeyIssued](ctx, c, id, &protocol.NewSession{})
}
