package client

import (
	"context"
	"time"

	"coffer/protocol"
)

// PutKeyBundle replaces the client's key bundle: 1045.
func (c *Conn) PutKeyBundle(ctx context.Context, id protocol.ClientID, bundle []byte) error {
	return c.call(ctx, id, &protocol.PutKeyBundle{Bundle: bundle}, new(protocol.Done))
}

// GetKeyBundle returns the client's key bundle: 1046.
func (c *Conn) GetKeyBundle(ctx context.Context, id protocol.ClientID) ([]byte, error) {
	answer, err := ask[protocol.KeyBundle](ctx, c, id, &protocol.GetKeyBundle{})
	if err != nil {
		return nil, err
	}
	return answer.Bundle, nil
}

// GetAccount returns what the server keeps of the client: 1047.
func (c *Conn) GetAccount(ctx context.Context, id protocol.ClientID) (*protocol.AccountInfo, error) {
	return ask[protocol.AccountInfo](ctx, c, id, &protocol.GetAccount{})
}

// CreateAccount registers a client by way of the gateway: 1064.
func (c *Conn) CreateAccount(ctx context.Context, m protocol.CreateAccount) (protocol.ClientID, error) {
	answer, err := ask[protocol.AccountCreated](ctx, c, protocol.ClientID{}, &m)
	if err != nil {
		return protocol.ClientID{}, err
	}
	return answer.Client, nil
}

// SignIn checks a caller's identity through the gateway: 1065.
func (c *Conn) SignIn(ctx context.Context, m protocol.SignIn) (*protocol.SignedIn, error) {
	return ask[protocol.SignedIn](ctx, c, protocol.ClientID{}, &m)
}

// SetPassword sets a client's password and key bundle, and returns until when
// its tokens must have been issued to be dead now: 1052.
func (c *Conn) SetPassword(ctx context.Context, id protocol.ClientID, m protocol.SetPassword) (until time.Time, err error) {
	answer, err := ask[protocol.TokensRevoked](ctx, c, id, &m)
	if err != nil {
		return time.Time{}, err
	}
	return answer.Until, nil
}

// RemoveAccount removes the client with all its files: 1053. The password is
// "" for an account that has none.
func (c *Conn) RemoveAccount(ctx context.Context, id protocol.ClientID, password string) error {
	return c.call(ctx, id, &protocol.RemoveAccount{Password: password}, new(protocol.Done))
}
