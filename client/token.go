package client

import (
	"context"

	"coffer/protocol"
)

// RevokeToken revokes a session token until it expires: 1070.
func (c *Conn) RevokeToken(ctx context.Context, m protocol.RevokeToken) error {
	return c.call(ctx, protocol.ClientID{}, &m, new(protocol.Done))
}

// RevokeTokens makes all of a client's tokens dead that were issued until now:
// 1072.
func (c *Conn) RevokeTokens(ctx context.Context, id protocol.ClientID) error {
	return c.call(ctx, id, &protocol.RevokeTokens{}, new(protocol.TokensRevoked))
}

// CheckToken fails with a protocol.Failure of StatusUnauthenticated if the
// token was revoked: 1071.
func (c *Conn) CheckToken(ctx context.Context, m protocol.CheckToken) error {
	return c.call(ctx, protocol.ClientID{}, &m, new(protocol.Done))
}
