package server_test

import (
	"testing"

	"coffer/protocol"
)

// Unproven connections to the internal listener are limited in number: the
// oldest is closed, a gateway that comes later gets in, and proven connections
// stay.
func TestUnprovenConnectionsAreBounded(t *testing.T) {
	const most = 128
	c := startCore(t, nil)
	owner := c.newClient("owner")
	early := c.gateway(owner)
	idle := make([]*wire, most+20)
	for i := range idle {
		idle[i] = dialUnproven(t, c.internal)
		idle[i].send(1032) // one that does something is as good as one that does nothing
		idle[i].expect(1609)
	}
	for _, w := range idle[:20] {
		w.closed()
	}
	late := c.gateway(owner)
	for _, w := range []*wire{early, late} {
		w.ask(&protocol.GetAccount{}, nil, &protocol.AccountInfo{})
	}
	idle[20].closed() // for the late one
	idle[most+19].proveGateway([32]byte(coreSecret))
}

// A connection that has proven itself, or has ended, is no longer counted.
func TestProvenConnectionsAreNotCounted(t *testing.T) {
	c := startCore(t, nil)
	owner := c.newClient("owner")
	first := dialUnproven(t, c.internal)
	first.send(1032)
	first.expect(1609)
	for range 2 * 128 {
		w := c.gateway(owner)
		w.ask(&protocol.GetIdentity{}, nil, &protocol.Identity{})
		w.nc.Close()
	}
	first.proveGateway([32]byte(coreSecret))
}
