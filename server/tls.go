package server

import (
	"bytes"
	"crypto/tls"
	"net"
	"time"

	"coffer/protocol"
)

// errPlain refuses plain TCP where the operator requires TLS.
var errPlain = refuse(protocol.StatusForbidden, "the server takes TLS alone (--tls-only): use a client that speaks it").hangingUp()

// secure reports whether the connection speaks TLS.
func (c *conn) secure() bool {
	_, ok := c.wire.(*tls.Conn)
	return ok
}

// takesPlain reports whether the connection may continue without TLS.
func (c *conn) takesPlain() bool { return c.internal || !c.s.cfg.TLSOnly }

// startTLS looks at a connection's first bytes, and continues in TLS if they
// begin it. Clients that speak plain TCP use the same port; their bytes pass
// through unchanged.
func (c *conn) startTLS() (started bool, err error) {
	if c.s.cfg.TLS == nil || !protocol.SpeaksTLS(c.r) {
		return false, nil
	}
	seen, err := c.r.Peek(c.r.Buffered())
	if err != nil {
		return false, err
	}
	c.nc.SetWriteDeadline(time.Now().Add(c.s.cfg.HeaderTimeout))
	conn := tls.Server(&rewound{Conn: countReads{c.nc, c.s}, first: bytes.Clone(seen)}, c.s.cfg.TLS)
	if err := conn.Handshake(); err != nil {
		c.s.log.Debug("TLS was not agreed upon", "peer", c.peer.address, "error", err)
		return false, lostError{err}
	}
	c.wire = conn
	c.r.Reset(conn)
	return true, nil
}

// A rewound connection first returns the bytes that were read to look at it.
type rewound struct {
	net.Conn
	first []byte
}

// Read reads.
func (c *rewound) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil
	}
	return n, nil
}
