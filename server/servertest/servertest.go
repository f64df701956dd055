// Package servertest runs a server in process, for tests of what speaks to one.
package servertest

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"coffer/server"
	"coffer/store/memstore"
)

// Start starts a server with its data in memory, and stops it when the test
// ends. It returns the addresses where it listens to clients, and to gateways.
// Change, if not nil, changes the configuration before.
func Start(t *testing.T, change func(*server.Config)) (public, internal string) {
	t.Helper()
	cfg := server.DefaultConfig()
	cfg.Catalog, cfg.Blobs, cfg.MasterKey = memstore.New().Catalog(), memstore.New().Blobs(), server.NewMasterKey()
	cfg.CoreSecret[0] = 1 // the zero secret is refused
	cfg.Log = slog.New(slog.DiscardHandler)
	if change != nil {
		change(&cfg)
	}
	srv, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return listeners[0].Addr().String(), listeners[1].Addr().String()
}
