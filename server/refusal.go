package server

import (
	"context"
	"errors"

	"coffer/protocol"
	"coffer/store"
)

// A refusal is an error that the client is answered with: it asked for what it
// cannot have.
type refusal struct {
	status  protocol.Status
	message string        // a sentence for a person
	rule    protocol.Rule // of the protocol that the request broke, if the doctor explains it
	reply   protocol.Message
	hangUp  bool // the connection must be closed
	silent  bool // no answer
}

// refuse is a refusal for a reason.
func refuse(status protocol.Status, message string) *refusal {
	return &refusal{status: status, message: message}
}

// broken is a refusal, and the rule behind it.
func broken(rule protocol.Rule, status protocol.Status, message string) *refusal {
	return &refusal{status: status, message: message, rule: rule}
}

// Error is the reason.
func (r *refusal) Error() string { return r.message }

// hangingUp is the refusal, ending the connection.
func (r *refusal) hangingUp() *refusal {
	ending := *r
	ending.hangUp = true
	return &ending
}

// replying is the refusal, answered with a response of its own.
func (r *refusal) replying(reply protocol.Message) *refusal {
	with := *r
	with.reply = reply
	return &with
}

// failure is what the refusal is on the wire, for requests that are answered
// with a reason.
func (r *refusal) failure() *protocol.Failure {
	return &protocol.Failure{Status: r.status, Message: r.message}
}

// answer is what a request is refused with: base requests with 1607, which
// gives no reason, and extensions with one. It is nil for silence.
func (r *refusal) answer(code protocol.Code) protocol.Message {
	switch {
	case r.silent:
		return nil
	case r.reply != nil:
		return r.reply
	case code.IsBase() || !code.IsRequest():
		return &protocol.Error{}
	}
	return r.failure()
}

var (
	errFull     = refuse(protocol.StatusNoSpace, "the server's storage is full")
	errBusy     = refuse(protocol.StatusBusy, "the server is busy; ask again in a moment")
	errClosing  = refuse(protocol.StatusUnavailable, "the server is shutting down")
	errInternal = refuse(protocol.StatusInternal, "the server could not do this; its log says why")
)

// refusalOf is what a request that failed is refused with. Any error but a
// refusal is the server's own fault; it is logged in full, and nothing of it
// leaves.
func (c *conn) refusalOf(r *request, err error) *refusal {
	switch refused := (*refusal)(nil); {
	case errors.As(err, &refused):
		if !refused.silent {
			c.s.log.Debug("request refused", "request", r.code.String(), "reason", refused.message, "client", r.client, "peer", c.peer.address)
		}
		return refused
	case errors.Is(err, store.ErrNoClient):
		return errNoClient
	case errors.Is(err, store.ErrFull):
		c.s.cfg.Space.Full()
		c.s.log.Error("storage is full", "request", r.code.String(), "error", err)
		c.s.journal.noteError(r.from.address, r.client, "the storage is full")
		return errFull
	case errors.Is(err, store.ErrBusy):
		c.s.log.Warn("the catalog is busy", "request", r.code.String(), "error", err)
		return errBusy
	case errors.Is(err, context.Canceled):
		return errClosing
	}
	c.s.log.Error("request failed", "request", r.code.String(), "client", r.client, "peer", c.peer.address, "error", err)
	c.s.journal.noteError(r.from.address, r.client, r.code.String()+" failed; the log says why")
	return errInternal
}
