package main

import (
	"fmt"

	"coffer/internal/program"
)

// pinCommand shows or changes what the server must prove itself with.
type pinCommand struct {
	Pin string `arg:"" optional:"" placeholder:"sha256//..." help:"Pin of the certificate to accept from now on, as printed by coffer-server pin on the server."`
}

// Run shows the pin, or sets it.
func (c *pinCommand) Run(a *app) error {
	p, err := a.loadAnyProfile()
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
	_, err = fmt.Fprintf(a.stdout, "the server at %s must have the certificate %s from now on\n", program.Printable(p.Server), p.TLSPin)
	return err
}

func (c *pinCommand) show(a *app, p *profile) error {
	if a.json {
		return a.printJSON(map[string]any{"server": p.Server, "tls": p.TLS, "pin": p.TLSPin, "insecure": p.Insecure})
	}
	says := "is checked when it is first used"
	switch {
	case p.TLSPin != "":
		says = "must have the certificate " + p.TLSPin
	case p.TLSCA != "":
		says = "must have a certificate signed by a CA in the profile"
	case p.TLS:
		says = "must have a certificate signed by a system CA"
	case p.Insecure:
		says = "is used without TLS"
	}
	_, err := fmt.Fprintf(a.stdout, "the server at %s %s\n", program.Printable(p.Server), says)
	return err
}
