// Package client is a Go client of Coffer's core server: a [Conn] is one
// connection, with every request of docs/protocol.md as a method, and a
// [Session] keeps an account's connection alive through failures.
//
// It only moves messages: it knows neither files nor folders, does not seal,
// and repeats only requests that its caller declares safe to repeat. Its errors
// contain no client id or key.
package client

import (
	"errors"
	"net"

	"coffer/protocol"
)

// What a server's refusal of a base request comes back as.
var (
	ErrRefused         = errors.New("the server refused the request")             // 1607
	ErrNameRefused     = errors.New("the name is taken or not acceptable")        // 1601
	ErrReconnectDenied = errors.New("the server does not know this registration") // 1606
)

// ErrNoSnapshots is what a request about snapshots comes back as from a server
// that is too old for them.
var ErrNoSnapshots = errors.New("this server does not know snapshots: update it")

var (
	// ErrClosed is wrapped, with its cause, by every error of a Conn that was
	// closed or that broke.
	ErrClosed = errors.New("connection closed")
	// ErrProtocol is wrapped where the server answered what docs/protocol.md
	// does not allow. The connection is then closed too.
	ErrProtocol = errors.New("the server broke the protocol")
)

// IsTransport reports whether err is about the connection and not about the
// request, so that another connection may do better.
func IsTransport(err error) bool {
	if errors.Is(err, ErrProtocol) {
		return false
	}
	var opError *net.OpError
	return errors.Is(err, ErrClosed) || errors.As(err, &opError)
}

// IsStatus reports whether err is a failure with this status.
func IsStatus(err error, status protocol.Status) bool {
	var failure *protocol.Failure
	return errors.As(err, &failure) && failure.Status == status
}
