package main

import (
	"fmt"

	"coffer/internal/program"
)

// pinCommand shows or changes what the server must prove itself with.
type pinCommand struct {
	Pin string `arg:"" optional:"" placeholder:"sha256//..." help:"The certificate to accept from now on, as coffer-server pin prints it on the server."`
}

// Run shows the pin, or sets it.
func (c *pinCommand) Run(a *app) error {
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	if c.Pin == "" {
		return c.show(a, p)
	}
	if err := program.CheckPin(c.Pin); err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	if err := (connectFlags{Pin: c.Pin}).apply(p); err != nil {
		return err
	}
	if err := a.saveProfile(p); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	_, err = fmt.Fprintf(a.stdout, "the server at %s has to prove itself with %s from now on\n", program.Printable(p.Server), p.TLSPin)
	return err
}

func (c *pinCommand) show(a *app, p *profile) error {
	if a.json {
		return a.printJSON(map[string]any{"server": p.Server, "tls": p.TLS, "pin": p.TLSPin, "insecure": p.Insecure})
	}
	says := "is looked at when it is used for the first time"
	switch {
	case p.TLSPin != "":
		says = "has to prove itself with " + p.TLSPin
	case p.TLSCA != "":
		says = "has to have a certificate that the profile's authorities vouch for"
	case p.TLS:
		says = "has to have a certificate that the system's authorities vouch for"
	case p.Insecure:
		says = "is reached by plain TCP"
	}
	_, err := fmt.Fprintf(a.stdout, "the server at %s %s\n", program.Printable(p.Server), says)
	return err
}
