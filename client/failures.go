package client

import (
	"context"

	"coffer/protocol"
)

// Failures asks the core, by way of the gateway's listener, which base requests
// failed last: 1080.
func (c *Conn) Failures(ctx context.Context) ([]protocol.FailedExchange, error) {
	answer, err := ask[protocol.Failures](ctx, c, protocol.ClientID{}, &protocol.AskFailures{})
	if err != nil {
		return nil, err
	}
	return answer.Exchanges, nil
}
