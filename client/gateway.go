package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"coffer/protocol"
	"coffer/protocol/crypt"
)

// ErrCoreSecret means that the two ends of a connection to the internal
// listener have different secrets.
var ErrCoreSecret = errors.New("the core has a different core secret: set the same one for both programs (--core-secret-file or COFFER_CORE_SECRET)")

// proveGateway shows the core that this side knows its secret, and has the core
// do the same: 1032 and 1082.
func (c *Conn) proveGateway(ctx context.Context, secret crypt.CoreSecret, gateway protocol.ClientID) error {
	issued, err := ask[protocol.ChallengeIssued](ctx, c, protocol.ClientID{}, &protocol.Challenge{})
	if err != nil {
		return fmt.Errorf("prove the core secret: %w", err)
	}
	binding, err := crypt.ChannelBinding(c.nc)
	if err != nil {
		return fmt.Errorf("prove the core secret: %w", err)
	}
	m := &protocol.ProveGateway{}
	rand.Read(m.Nonce[:]) // never fails
	m.Proof = secret.GatewayProof(issued.Challenge, m.Nonce, binding)
	answer, err := ask[protocol.CoreProven](ctx, c, gateway, m)
	switch {
	case IsStatus(err, protocol.StatusUnauthenticated):
		return ErrCoreSecret
	case err != nil:
		return fmt.Errorf("prove the core secret: %w", err)
	case !crypt.SameProof(answer.Proof, secret.CoreProof(issued.Challenge, m.Nonce, binding)):
		return fmt.Errorf("%w; or another program is listening on the core's address", ErrCoreSecret)
	}
	return nil
}
