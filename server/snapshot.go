package server

import (
	"context"

	"coffer/protocol"
)

// unserved refuses the requests about snapshots until there is where to keep
// them.
func unserved(context.Context, *conn, *request) (protocol.Message, error) {
	return nil, refuse(protocol.StatusUnavailable, "this server does not keep snapshots yet")
}
