package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"coffer/protocol"
)

// errClientChecksum is what a 1030 or 1031 says.
var errClientChecksum = broken(protocol.RuleChecksum, protocol.StatusConflict, "the client says that the checksum differs from its own")

// diagnostics remember the last base requests that were not served as their
// clients hoped, for the operator to look into. They are in memory alone, keep
// no content, and of a client id only the fingerprint. Extensions are left out:
// they are answered with a reason, and some carry secrets.
type diagnostics struct {
	mu   sync.Mutex
	ring [protocol.MaxFailures]protocol.FailedExchange
	n    int // ever
}

func (d *diagnostics) add(e protocol.FailedExchange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ring[d.n%len(d.ring)] = e
	d.n++
}

// last are the exchanges that are remembered, the newest first.
func (d *diagnostics) last() []protocol.FailedExchange {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []protocol.FailedExchange
	for i := d.n - 1; i >= 0 && i >= d.n-len(d.ring); i-- {
		list = append(list, d.ring[i%len(d.ring)])
	}
	return list
}

// diagnose remembers a request that failed, or was served with a remark.
func (c *conn) diagnose(r *request, err error) {
	if err == nil {
		err = r.remark
	}
	h := r.header
	if err == nil || c.internal || h.Code.IsRequest() && !h.Code.IsBase() && h.Version == protocol.Version {
		return
	}
	e := protocol.FailedExchange{At: time.Now(), Peer: c.peer.address, Earlier: c.served,
		Version: h.Version, Code: h.Code, Size: h.Size, Rule: protocol.HeaderRule(h, c.served > 0)}
	if h.Version == protocol.Version && h.Client != (protocol.ClientID{}) {
		e.Client = h.Client.LogValue().String()
	}
	if r.payload != nil {
		e.Head = r.payload.head
	}
	switch refused := (*refusal)(nil); {
	case errors.As(err, &refused):
		if refused.silent {
			return
		}
		e.Reason = refused.message
		if refused.rule != protocol.RuleOther {
			e.Rule = refused.rule
		} else if e.Rule == protocol.RuleOther && refused.status == protocol.StatusTooLarge {
			e.Rule = protocol.RuleTooLarge // over --max-packet, which a header does not know
		}
	case errors.As(err, new(lostError)):
		e.Rule = protocol.RuleIncomplete
		e.Reason = "the connection ended, or fell silent, before the payload was complete"
	default:
		e.Reason = errInternal.message
	}
	c.s.diagnostics.add(e)
}

func (c *conn) listFailures(context.Context, *request, *protocol.ListFailures) (protocol.Message, error) {
	return &protocol.Failures{Exchanges: c.s.diagnostics.last()}, nil
}

// Failures are the last base requests that were not served as their clients
// hoped, the newest first.
func (s *Server) Failures() []protocol.FailedExchange { return s.diagnostics.last() }
