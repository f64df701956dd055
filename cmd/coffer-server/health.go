package main

import (
	"context"
	"fmt"

	"coffer/internal/program"
)

// healthCmd asks a running server, by its internal listener, how it is.
type healthCmd struct{ coreFlags }

// Run exits with 0 if database and storage are operational.
func (cmd *healthCmd) Run(ctx context.Context, std program.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	conn, err := cmd.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	status, err := conn.GetStatus(ctx)
	if err != nil {
		return err
	}
	if status.Database != "operational" || status.Storage != "operational" {
		return fmt.Errorf("database %s, storage %s", status.Database, status.Storage)
	}
	fmt.Fprintln(std.Out, "ok")
	return nil
}
