package server

import (
	"context"
	"errors"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
)

// proofTime is how long a connection to the internal listener may take to
// prove that it knows the core's secret.
const proofTime = 10 * time.Second

var errNoSecret = errors.New("an internal listener needs a core secret")

// unproven reports whether the connection came by the internal listener and has
// not shown that it knows the core's secret.
func (c *conn) unproven() bool { return c.internal && !c.gateway }

// admits reports whether a request may be looked at.
func (c *conn) admits(code protocol.Code) bool {
	return !c.unproven() || code == protocol.CodeChallenge || code == protocol.CodeProveGateway
}

// errUnproven refuses a peer that has not proven that it knows the core secret.
var errUnproven = refuse(protocol.StatusUnauthenticated, "the connection has not proven to know the core's secret").hangingUp()

// proveGateway admits a connection to the internal listener.
func (c *conn) proveGateway(_ context.Context, r *request, m *protocol.ProveGateway) (protocol.Message, error) {
	challenge := c.challenge
	c.challenge = nil
	if challenge == nil {
		return nil, refuse(protocol.StatusConflict, "ask for a challenge first")
	}
	binding, err := crypt.ChannelBinding(c.wire)
	if err != nil {
		return nil, err
	}
	secret := c.s.cfg.CoreSecret
	if !crypt.SameProof(m.Proof, secret.GatewayProof([32]byte(challenge), m.Nonce, binding)) {
		c.s.journal.strangers.Do(func() {
			c.s.log.Warn("connection to the internal listener refused: it does not know the core's secret", "peer", host(c.nc.RemoteAddr()))
		})
		return nil, errUnproven
	}
	c.gateway = true
	c.s.strangers.remove(c)
	c.s.mu.Lock()
	c.s.gateways[c] = r.client
	c.s.mu.Unlock()
	return &protocol.CoreProven{Proof: secret.CoreProof([32]byte(challenge), m.Nonce, binding)}, nil
}

// gatewaysLocked returns the number of connected gateways. Each sends a number
// of its own on all its connections; gateways that send none count as one.
func (s *Server) gatewaysLocked() int {
	known := make(map[store.ClientID]struct{})
	for _, id := range s.gateways {
		known[id] = struct{}{}
	}
	return len(known)
}
