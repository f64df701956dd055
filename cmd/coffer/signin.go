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
	Name   string `required:"" help:"The account's name."`
	Server string `placeholder:"HOST:PORT" help:"Address of the server. Default: the one stored with the account's keys, or else the gateway's host and port 1256."`
	Force  bool   `help:"Replace this machine's registration. Its keys are lost."`

	EarlierPassword bool `name:"earlier-password" help:"Sign in with a passphrase set before passwords were bound to a server, and bind it to this server. Any server where it was used unbound could sign in with it, too."`
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
	password, err := g.password(c.Name, passphrase)
	if err != nil {
		return err
	}
	signInPassword := password
	if c.EarlierPassword {
		if signInPassword, err = seal.EarlierSignInPassword(c.Name, passphrase); err != nil {
			return err
		}
	}
	in, err := g.signIn(a.ctx, c.Name, signInPassword, c.EarlierPassword)
	if err != nil {
		return err
	}
	bundle, wireID, err := g.keys(a.ctx, in)
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
	if p.Username != c.Name || p.ClientID != wireID {
		return errors.New("the server returned the keys of a different account")
	}
	if err := c.locate(p, g.base); err != nil {
		return err
	}
	p.Gateway = c.Gateway
	if _, err := a.settle(p); err != nil {
		return fmt.Errorf("the keys are valid, but the server at %s does not accept them (--server chooses another): %w", p.Server, err)
	}
	if err := a.tryOut(p); err != nil {
		return fmt.Errorf("the keys are valid, but the server at %s does not accept them (--server chooses another): %w", p.Server, err)
	}
	if c.EarlierPassword {
		if err := a.setPassword(p, protocol.SetPassword{Password: password, Bundle: bundle}); err != nil {
			return fmt.Errorf("bind the password to this server: %w", err)
		}
	}
	if err := a.saveProfile(p); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	a.saySettled()
	a.beginMemory(p)
	if a.json {
		return a.printJSON(map[string]string{"name": p.Username, "server": p.Server})
	}
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "signed in as %s at %s\nthe keys are in %s\n", program.Printable(p.Username), program.Printable(p.Server), path)
	return err
}

// locate sets where the profile's server is.
func (c *signInCommand) locate(p *profile, gateway *url.URL) error {
	if c.Server != "" {
		server, err := serverAddress(c.Server)
		if err != nil {
			return err
		}
		p.Server = server
	}
	if p.Server == "" {
		p.Server = net.JoinHostPort(gateway.Hostname(), strconv.Itoa(protocol.DefaultPort))
	}
	// Whoever signed in without TLS elsewhere has not chosen that here.
	p.Insecure = false
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
		_, err := conn.GetAccount(a.ctx, session.Client())
		return err
	})
}

// passphraseCommand gives an account that was made on the command line a
// passphrase, or another one.
type passphraseCommand struct {
	passphraseFlags
	Gateway string `placeholder:"URL" help:"URL of the gateway, such as https://backup.example.org, that the passphrase will be bound to. Default: the one this machine signed in to, or else the server's host."`
}

func (c *passphraseCommand) Run(a *app) error {
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	if err := a.settleAndSave(p); err != nil {
		return err
	}
	server, err := c.signInServer(p)
	if err != nil {
		return err
	}
	passphrase, err := c.newPassphrase(a, p.Username)
	if err != nil {
		return err
	}
	password, err := seal.SignInPassword(server, p.Username, passphrase)
	if err != nil {
		return err
	}
	bundle, err := p.seal(passphrase)
	if err != nil {
		return err
	}
	if err := a.setPassword(p, protocol.SetPassword{Password: password, Bundle: bundle}); err != nil {
		return fmt.Errorf("set the passphrase: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]string{"name": p.Username, "sign_in_server": server})
	}
	_, err = fmt.Fprintf(a.stdout, "%s can now sign in at %s with this passphrase, in a browser or with coffer sign-in; without the passphrase or these keys, no backup can be opened\n", program.Printable(p.Username), program.Printable(server))
	return err
}

// signInServer is what the password will be bound to.
func (c *passphraseCommand) signInServer(p *profile) (string, error) {
	where := c.Gateway
	if where == "" {
		where = p.Gateway
	}
	if where == "" {
		host, _, err := net.SplitHostPort(p.Server)
		if err != nil {
			host = p.Server
		}
		return seal.SignInServer(host)
	}
	base, err := parseGateway(where)
	if err != nil {
		return "", err
	}
	return seal.SignInServer(base.Hostname())
}

// setPassword sets the account's password and bundle over a proven connection.
func (a *app) setPassword(p *profile, m protocol.SetPassword) error {
	session, _, err := p.open()
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Do(a.ctx, func(conn *client.Conn) error {
		_, err := conn.SetPassword(a.ctx, session.Client(), m)
		return err
	})
}
