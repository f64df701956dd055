package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"coffer/client"
	"coffer/internal/program"
)

// healthCmd asks a running server, by its internal listener, how it is.
type healthCmd struct{ coreFlags }

// coreFlags say how a running server is reached by its internal listener.
type coreFlags struct {
	InternalListen string        `help:"The server's internal address." default:"127.0.0.1:1257" env:"COFFER_SERVER_INTERNAL_LISTEN"`
	TLS            bool          `name:"tls" help:"The server speaks TLS. The certificate is not checked: the connection stays on the machine."`
	Timeout        time.Duration `help:"How long to wait." default:"5s"`
}

func (f coreFlags) dial(ctx context.Context) (*client.Conn, error) {
	var opts client.Options
	if f.TLS {
		opts.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	}
	return client.Dial(ctx, f.InternalListen, opts)
}

// Run exits with 0 if database and storage are operational.
func (cmd *healthCmd) Run(ctx context.Context, std program.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	conn, err := cmd.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	status, err := conn.Status(ctx)
	if err != nil {
		return err
	}
	if status.Database != "operational" || status.Storage != "operational" {
		return fmt.Errorf("database %s, storage %s", status.Database, status.Storage)
	}
	fmt.Fprintln(std.Out, "ok")
	return nil
}
