package main

import (
	"encoding/hex"
	"fmt"

	"coffer/client"
)

// accountCommand changes by what other ways the account is used.
type accountCommand struct {
	Base  baseCommand  `cmd:"" help:"Allow or refuse base requests, as sent by the C++ client. Anyone who can read the network traffic can send them, too."`
	APIID apiIDCommand `cmd:"" name:"api-id" help:"Create an id that scripts use to sign in over HTTP without the passphrase. It replaces an earlier id."`
}

type baseCommand struct {
	Access string `arg:"" optional:"" help:"Allow (on) or refuse (off) base requests; without it, show which."`
}

// Validate checks the argument: kong knows no choice that may be left out.
func (c *baseCommand) Validate() error {
	switch c.Access {
	case "", "on", "off":
		return nil
	}
	return fmt.Errorf("account base must be on or off, not %q", c.Access)
}

// Run opens or closes the account to base requests, or says which it is.
func (c *baseCommand) Run(a *app) error {
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	open := c.Access == "on"
	err = session.Do(a.ctx, func(conn *client.Conn) error {
		if c.Access != "" {
			return conn.SetBaseAccess(a.ctx, session.Client(), open)
		}
		identity, err := getIdentity(a.ctx, conn, session.Client())
		open = identity == nil || identity.BaseOpen
		return err
	})
	if err != nil && c.Access == "" {
		return fmt.Errorf("get the account's access: %w", err)
	}
	if err != nil {
		return fmt.Errorf("set the account's access: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]bool{"base_open": open})
	}
	said := "off: base requests are refused: using the account takes its keys or its passphrase"
	if open {
		said = "on: base requests are allowed: the C++ client can use the account, and anyone who can read or change its traffic can disrupt it"
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
		return fmt.Errorf("create an id for the HTTP API: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]string{"client_id": text})
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}
