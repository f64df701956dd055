package server

import (
	"context"
	"net"
	"net/netip"

	"coffer/protocol"
)

// A network is what limits count as one peer: an IPv4 address, or the /64 of
// an IPv6 address, which is what one subscriber gets. The zero network is of
// peers without an address, such as those on a Unix socket; no limit per
// address holds for it.
type network struct{ netip.Prefix }

// networkOf is the network that an address counts for.
func networkOf(addr net.Addr) network {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return network{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return network{}
	}
	return network{prefix}
}

// A peer is where a request comes from.
type peer struct {
	address string // as in activities; empty if there is none
	network network
}

func peerOf(addr net.Addr) peer {
	if _, ok := addr.(*net.TCPAddr); !ok {
		return peer{}
	}
	return peer{address: host(addr), network: networkOf(addr)}
}

// client returns where the current request comes from: the connection's peer,
// or the caller that the gateway named. The gateway's own address does not
// count.
func (c *conn) client() peer {
	if c.internal {
		return c.calling
	}
	return c.peer
}

// setCaller notes the caller of the gateway's next request. It gets no answer,
// so it takes no time.
func (c *conn) setCaller(_ context.Context, _ *request, m *protocol.Caller) (protocol.Message, error) {
	c.calling = peer{}
	if m.Address.IsValid() {
		c.calling = peerOf(net.TCPAddrFromAddrPort(netip.AddrPortFrom(m.Address, 0)))
	}
	return nil, nil
}

func host(a net.Addr) string {
	if h, _, err := net.SplitHostPort(a.String()); err == nil {
		return h
	}
	return a.String()
}

type peerKey struct{}

// from is a context for the requests of a peer.
func from(ctx context.Context, p peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// peerIn is the peer that a context is for; the zero peer if it is for none.
func peerIn(ctx context.Context) peer {
	p, _ := ctx.Value(peerKey{}).(peer)
	return p
}
