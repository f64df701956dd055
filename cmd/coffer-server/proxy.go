package main

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyHeaderTimeout is how long a trusted proxy may take to say whom it
// speaks for. It has that at hand.
const proxyHeaderTimeout = 5 * time.Second

// trusted is an address or a network of proxies.
type trusted struct{ netip.Prefix }

// UnmarshalText parses 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32.
func (t *trusted) UnmarshalText(text []byte) error {
	if strings.Contains(string(text), "/") {
		prefix, err := netip.ParsePrefix(string(text))
		t.Prefix = prefix.Masked()
		return err
	}
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return err
	}
	addr = addr.Unmap().WithZone("")
	t.Prefix = netip.PrefixFrom(addr, addr.BitLen())
	return nil
}

// A proxyListener believes trusted proxies who their connections come from, by
// the PROXY protocol, version 1 or 2. They must say so: one that does not is
// hung up on, since its own address would pass for a client's. Whoever else
// connects is served as they are, by the address they have; a PROXY header of
// theirs is no request and is refused like any other.
type proxyListener struct {
	net.Listener
	trusted  []trusted
	patience time.Duration // for the header
	log      *slog.Logger
}

// Accept waits for the next connection. It does not wait for its header, which
// is read with the connection's first bytes: who is slow delays nobody else.
func (l *proxyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil || !l.trusts(nc.RemoteAddr()) {
		return nc, err
	}
	c := &proxiedConn{proxy: nc, log: l.log}
	c.Conn = proxyproto.NewConn(heard{nc, &c.heard}, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(l.patience))
	return c, nil
}

func (l *proxyListener) trusts(peer net.Addr) bool {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(l.trusted, func(t trusted) bool { return t.Contains(addr) })
}

// A proxiedConn comes by a trusted proxy. Its RemoteAddr, which waits for the
// header, is the client's.
type proxiedConn struct {
	*proxyproto.Conn
	proxy net.Conn // what it came by
	log   *slog.Logger

	// Owned by who reads.
	heard   bool // anything
	refused bool
}

// Read says in the log why a proxy was not believed: what its clients see is
// a closed connection, which tells the operator nothing. Proxies that connect
// to see whether there is a server, and say nothing, are no reason for concern.
func (c *proxiedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !c.refused && c.heard && c.ProxyHeader() == nil {
		c.refused = true
		c.log.Warn("refused a connection: a trusted proxy sent no readable PROXY header", "proxy", c.proxy.RemoteAddr().String(), "error", err)
	}
	return n, err
}

// CloseWrite ends what is sent, so that the last response arrives although
// there is more to read.
func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.proxy.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// heard notes whether anything came by a connection.
type heard struct {
	net.Conn
	any *bool
}

// Read reads.
func (c heard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		*c.any = true
	}
	return n, err
}
