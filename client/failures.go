package client

import (
	"context"

	"coffer/protocol"
)

// ListFailures returns the latest failed base requests, over a gateway's
// connection: 1080.
func (c *Conn) ListFailures(ctx context.Context) ([]protocol.FailedExchange, error) {
	answer, err := ask[protocol.Failures](ctx, c, protocol.ClientID{}, &protocol.ListFailures{})
	if err != nil {
		return nil, err
	}
	return answer.Exchanges, nil
}
