package main

import (
	"encoding/hex"
	"fmt"

	"coffer/client"
)

// accountCommand changes by what other ways the account is used.
type accountCommand struct {
	Base  baseCommand  `cmd:"" help:"Whether the server takes base requests for the account, as the C++ client sends them. Whoever sees the network can send some, too."`
	APIID apiIDCommand `cmd:"" name:"api-id" help:"Make an id by which scripts use the account over HTTP, without its passphrase; one made before stops working."`
}

type baseCommand struct {
	Access string `arg:"" enum:"on,off" help:"on or off."`
}

// Run opens or closes the account to base requests.
func (c *baseCommand) Run(a *app) error {
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	open := c.Access == "on"
	err = session.Do(a.ctx, func(conn *client.Conn) error {
		return conn.SetBaseAccess(a.ctx, session.Client(), open)
	})
	if err != nil {
		return fmt.Errorf("set the account's access: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]bool{"base_open": open})
	}
	said := "base requests are refused: only who proves to have the account's keys, or signs in, can use it"
	if open {
		said = "base requests are taken: the C++ client can use the account, and who sees or changes its traffic can disturb it"
	}
	_, err = fmt.Fprintln(a.stdout, said)
	return err
}

type apiIDCommand struct{}

// Run makes an API id and prints it alone, for a script to keep.
func (c *apiIDCommand) Run(a *app) error {
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	var text string
	// A second try makes another one; the last is the one that counts.
	err = session.Do(a.ctx, func(conn *client.Conn) error {
		id, err := conn.MakeAPIID(a.ctx, session.Client())
		s := hex.EncodeToString(id[:])
		text = s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
		return err
	})
	if err != nil {
		return fmt.Errorf("make an id for the HTTP API: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]string{"client_id": text})
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}
