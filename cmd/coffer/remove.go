package main

import (
	"fmt"

	"coffer/client"
)

type removeCommand struct {
	Name    string `arg:"" help:"What it is called on the server."`
	Version uint32 `help:"Which version (default: all)."`
}

func (c *removeCommand) Run(a *app) error {
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	err = session.Do(a.ctx, func(conn *client.Conn) error {
		return conn.DeleteFile(a.ctx, session.Client(), c.Name, c.Version)
	})
	if err != nil {
		return fmt.Errorf("remove %s: %w", c.Name, err)
	}
	if a.json {
		return a.printJSON(map[string]any{"name": c.Name, "version": c.Version, "removed": true})
	}
	if c.Version == 0 {
		_, err = fmt.Fprintf(a.stdout, "removed %s, all versions\n", c.Name)
	} else {
		_, err = fmt.Fprintf(a.stdout, "removed %s, version %d\n", c.Name, c.Version)
	}
	return err
}
