package client

import (
	"context"
	"net/netip"
)

type callerKey struct{}

// ForCaller returns a context for requests that a gateway makes for a caller at
// an address: the core notes it with what happens. It means nothing on
// connections to the public listener.
func ForCaller(ctx context.Context, address netip.Addr) context.Context {
	return context.WithValue(ctx, callerKey{}, address)
}

// callerIn is the address that a context is for; invalid if it is for none.
func callerIn(ctx context.Context) netip.Addr {
	address, _ := ctx.Value(callerKey{}).(netip.Addr)
	return address
}
