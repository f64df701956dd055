package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/seal"
)

// signInCommand makes the profile of a new machine from what the account's
// server keeps: the key bundle, which the passphrase opens here.
type signInCommand struct {
	passphraseFlags
	connectFlags
	gatewayFlags
	Name   string `required:"" env:"COFFER_NAME" help:"The account's name."`
	Server string `env:"COFFER_SERVER" placeholder:"HOST:PORT" help:"Where the server is. Default: what the account's keys say, or else the gateway's host with port 1256."`
	Force  bool   `help:"Replace this machine's registration; its keys are lost."`
}

func (c *signInCommand) Run(a *app) error {
	if err := a.refuseProfile(c.Force); err != nil {
		return err
	}
	g, err := c.open()
	if err != nil {
		return err
	}
	passphrase, err := c.passphrase(a, false)
	if err != nil {
		return err
	}
	password, err := seal.SignInPassword(c.Name, passphrase)
	if err != nil {
		return err
	}
	in, err := g.signIn(a.ctx, c.Name, password)
	if err != nil {
		return err
	}
	bundle, err := g.keyBundle(a.ctx, in)
	if err != nil {
		return err
	}
	content, err := seal.OpenWithPassphrase(bundle, passphrase)
	if err != nil {
		return fmt.Errorf("open the account's keys: %w", err)
	}
	p, err := parseProfile(content)
	if err != nil {
		return fmt.Errorf("read the account's keys: %w", err)
	}
	if p.Username != c.Name || p.ClientID != in.client {
		return errors.New("the keys that the server has for this account are another's")
	}
	if err := c.locate(p, g.base); err != nil {
		return err
	}
	if err := a.tryOut(p); err != nil {
		return fmt.Errorf("the keys are right, but the server at %s does not serve them (--server names another, --tls speaks TLS): %w", p.Server, err)
	}
	if err := a.saveProfile(p); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]string{"name": p.Username, "server": p.Server})
	}
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "signed in as %s at %s\nthe keys are in %s\n", p.Username, p.Server, path)
	return err
}

// locate sets where the profile's server is.
func (c *signInCommand) locate(p *profile, gateway *url.URL) error {
	if c.Server != "" {
		p.Server = c.Server
	}
	if p.Server == "" {
		p.Server = net.JoinHostPort(gateway.Hostname(), strconv.Itoa(protocol.DefaultPort))
	}
	return c.connectFlags.apply(p)
}

// tryOut opens a session with a profile, as every command will.
func (a *app) tryOut(p *profile) error {
	session, _, err := p.open()
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Do(a.ctx, func(conn *client.Conn) error {
		_, err := conn.AskAccount(a.ctx, session.Client())
		return err
	})
}

// minPassphrase is the shortest passphrase that is taken, in characters: who
// runs the server has all the time in the world to try others.
const minPassphrase = 8

// passphraseCommand gives an account that was made on the command line a
// passphrase, or another one.
type passphraseCommand struct{ passphraseFlags }

func (c *passphraseCommand) Run(a *app) error {
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	session, _, err := p.open()
	if err != nil {
		return err
	}
	defer session.Close()
	passphrase, err := c.passphrase(a, true)
	if err != nil {
		return err
	}
	if len([]rune(passphrase)) < minPassphrase {
		return fmt.Errorf("%w: the passphrase is shorter than %d characters; several words are best", program.ErrUsage, minPassphrase)
	}
	password, err := seal.SignInPassword(p.Username, passphrase)
	if err != nil {
		return err
	}
	bundle, err := p.seal(passphrase)
	if err != nil {
		return err
	}
	m := protocol.SetPassword{Password: password, Bundle: bundle}
	if err := session.Do(a.ctx, func(conn *client.Conn) error {
		_, err := conn.SetPassword(a.ctx, session.Client(), m)
		return err
	}); err != nil {
		return fmt.Errorf("set the passphrase: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]string{"name": p.Username})
	}
	_, err = fmt.Fprintf(a.stdout, "%s now signs in with this passphrase, in a browser or by coffer sign-in; without it, and without these keys, no backup can be opened\n", p.Username)
	return err
}
