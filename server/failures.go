package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/store"
)

// A ruleError is a failure that names the rule of the protocol that a request
// broke.
type ruleError struct {
	*protocol.Failure
	rule protocol.Rule
}

func (e ruleError) Unwrap() error { return e.Failure }

// broken is a failure, and the rule behind it.
func broken(rule protocol.Rule, status protocol.Status, message string) error {
	return ruleError{failure(status, message), rule}
}

// errClientChecksum is what a 1030 or 1031 says.
var errClientChecksum = broken(protocol.RuleChecksum, protocol.StatusConflict, "the client says that the checksum differs from its own")

// An exchange is the request that a connection is serving.
type exchange struct {
	header  protocol.RequestHeader // as it came
	payload *payload               // nil if there was no reading on
}

// failures remembers the last base requests that were not served as their
// clients hoped, for the operator to look into. It is in memory alone, keeps no
// content, and of a client id only the fingerprint. Extensions are left out:
// they are answered with a reason, and some carry secrets.
type failures struct {
	mu   sync.Mutex
	ring [protocol.MaxFailures]protocol.FailedExchange
	n    int // ever
}

func (f *failures) add(e protocol.FailedExchange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring[f.n%len(f.ring)] = e
	f.n++
}

// last are the exchanges that are remembered, the newest first.
func (f *failures) last() []protocol.FailedExchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []protocol.FailedExchange
	for i := f.n - 1; i >= 0 && i >= f.n-len(f.ring); i-- {
		list = append(list, f.ring[i%len(f.ring)])
	}
	return list
}

// failed remembers that the current request failed.
func (c *conn) failed(err error) {
	h := c.current.header
	if c.internal || h.Code.IsRequest() && !h.Code.IsBase() && h.Version == protocol.Version {
		return
	}
	e := protocol.FailedExchange{At: time.Now(), Peer: c.peer.address, Earlier: c.served,
		Version: h.Version, Code: h.Code, Size: h.Size, Rule: protocol.HeaderRule(h, c.served > 0)}
	if h.Version == protocol.Version && h.Client != (protocol.ClientID{}) {
		e.Client = h.Client.LogValue().String()
	}
	if p := c.current.payload; p != nil {
		e.Head = p.head
	}
	var f *protocol.Failure
	var rule ruleError
	switch {
	case errors.As(err, &rule):
		e.Rule = rule.rule
		e.Reason = rule.Message
	case errors.As(err, &f):
		e.Reason = f.Message
		if e.Rule == protocol.RuleOther && f.Status == protocol.StatusTooLarge {
			e.Rule = protocol.RuleTooLarge // over --max-packet, which a header does not know
		}
	case errors.As(err, new(lostError)):
		e.Rule = protocol.RuleIncomplete
		e.Reason = "the connection ended, or fell silent, before the payload was complete"
	case errors.Is(err, protocol.ErrVersion):
		e.Reason = err.Error()
	default:
		e.Reason = "the server could not do this; its log says why"
	}
	c.s.failed.add(e)
}

func host(a net.Addr) string {
	if h, _, err := net.SplitHostPort(a.String()); err == nil {
		return h
	}
	return a.String()
}

func (c *conn) askFailures(context.Context, store.ClientID, *protocol.AskFailures) (protocol.Message, error) {
	return &protocol.Failures{Exchanges: c.s.failed.last()}, nil
}

// Failures are the last base requests that were not served as their clients
// hoped, the newest first.
func (s *Server) Failures() []protocol.FailedExchange { return s.failed.last() }
