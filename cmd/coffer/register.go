package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"golang.org/x/text/encoding/htmlindex"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/seal"
)

type registerCommand struct {
	Server        string `required:"" placeholder:"HOST:PORT" help:"Address of the server."`
	Name          string `help:"Name of the new account; required without --from."`
	From          string `type:"existingfile" placeholder:"ME.INFO" help:"Take over the registration and key of a C++ client from its me.info file."`
	LegacyCharset string `name:"legacy-charset" default:"windows-1252" placeholder:"NAME" help:"With --from: character set of a name that is not UTF-8, the same as the server's --legacy-charset."`
	RSABits       int    `name:"rsa-bits" default:"3072" env:"COFFER_RSA_BITS" help:"Size of the new RSA key (1024 only for compatibility)."`
	connectFlags
	Force bool `help:"Replace this machine's registration. Its keys are lost."`
}

// Validate checks what flags mean together.
func (c *registerCommand) Validate() error {
	if c.Name == "" && c.From == "" {
		return errors.New("missing flags: --name=STRING or --from=ME.INFO")
	}
	return c.connectFlags.Validate()
}

// takeOver makes a profile of a C++ client's me.info. It is kept only if the
// server knows the client and wraps session keys for its key.
func (c *registerCommand) takeOver(a *app) error {
	text, err := os.ReadFile(c.From)
	if err != nil {
		return err
	}
	charset, err := htmlindex.Get(c.LegacyCharset)
	if err != nil {
		return fmt.Errorf("%w: --legacy-charset: %w", program.ErrUsage, err)
	}
	m, err := parseMeInfo(string(text), charset)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.From, err)
	}
	p, err := m.profile(c.Server)
	if err != nil {
		return err
	}
	if err := c.connect(a, p); err != nil {
		return err
	}
	if err := p.verify(a); err != nil {
		return fmt.Errorf("sign in with %s: %w", c.From, err)
	}
	if err := a.saveProfile(p); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	a.saySettled()
	a.beginMemory(p)
	return c.report(a, p.Username, "took over")
}

// connect decides how the profile's server is reached.
func (c *registerCommand) connect(a *app, p *profile) error {
	if err := c.connectFlags.apply(p); err != nil {
		return err
	}
	if err := p.lookAt(a.ctx); err != nil {
		return err
	}
	_, err := a.settle(p)
	return err
}

// report says that a profile was made.
func (c *registerCommand) report(a *app, name, verb string) error {
	if a.json {
		return a.printJSON(map[string]string{"name": name, "server": c.Server})
	}
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s with %s\nthe keys are in %s: without them no backup can be opened (coffer key export makes a copy)\n", verb, program.Printable(name), c.Server, path)
	return err
}

func (c *registerCommand) Run(a *app) error {
	if c.RSABits < crypt.MinRSABits || c.RSABits > crypt.MaxRSABits {
		return fmt.Errorf("%w: --rsa-bits must be from %d to %d", program.ErrUsage, crypt.MinRSABits, crypt.MaxRSABits)
	}
	var err error
	if c.Server, err = serverAddress(c.Server); err != nil {
		return err
	}
	if err := a.refuseProfile(c.Force); err != nil {
		return err
	}
	if c.From != "" {
		return c.takeOver(a)
	}
	p, err := c.begun(a)
	if err != nil {
		return err
	}
	if err := c.connect(a, p); err != nil {
		return err
	}
	// Written down before the server is told anything: a name whose keys are
	// lost is lost too. From here on, the same command goes on where this one
	// was cut off.
	if err := a.saveBegun(p); err != nil {
		return fmt.Errorf("save the keys: %w", err)
	}
	if err := c.obtain(a, p); err != nil {
		return err
	}
	if err := a.finishBegun(); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	a.saySettled()
	a.beginMemory(p)
	return c.report(a, c.Name, "registered")
}

// begun returns the profile of a registration that was cut off, or a new one.
func (c *registerCommand) begun(a *app) (*profile, error) {
	p, err := a.loadBegun()
	if err != nil {
		return nil, err
	}
	if p != nil && p.Server == c.Server && p.Username == c.Name {
		return p, nil
	}
	if p != nil && p.ClientID != "" && !c.Force {
		path, err := a.begunPath()
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s has the keys of %s at %s from an interrupted registration: register that name again to continue, or discard it with --force",
			path, program.Printable(p.Username), program.Printable(p.Server))
	}
	p = &profile{Version: profileVersion, Server: c.Server, Username: c.Name}
	_, err = p.makeKeys(c.RSABits)
	return p, err
}

// obtain registers the profile's name and brings its key, as far as that was
// not done.
func (c *registerCommand) obtain(a *app, p *profile) error {
	config, err := p.tlsConfig()
	if err != nil {
		return err
	}
	conn, err := client.Dial(a.ctx, c.Server, client.Options{TLS: config})
	if err != nil {
		return err
	}
	defer conn.Close()
	if p.ClientID != "" {
		done, err := p.bringKey(a.ctx, conn)
		if done || err != nil {
			return err
		}
		// The server does not know the id any more, or takes no key for it: the
		// name is free again, or somebody else's.
	}
	id, err := conn.Register(a.ctx, c.Name)
	if errors.Is(err, client.ErrNameRefused) {
		if p.ClientID == "" {
			err = errors.Join(err, a.dropBegun()) // keys that nobody knows
		}
		return refusedName(c.Name, err)
	}
	if errors.Is(err, client.ErrRefused) && p.isForGateways(a.ctx) {
		return errors.Join(notCoffer(p.Server, isInternal, ""), a.dropBegun())
	}
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	p.ClientID = hex.EncodeToString(id[:])
	if err := a.saveBegun(p); err != nil {
		return fmt.Errorf("save the registration: %w", err)
	}
	if done, err := p.sendKey(a.ctx, conn); err != nil || !done {
		return fmt.Errorf("send the public key: %w", cmp.Or(err, client.ErrRefused))
	}
	return nil
}

// refusedName says what to do about a registration that was refused. An earlier
// server does not tell why.
func refusedName(name string, err error) error {
	switch {
	case client.IsStatus(err, protocol.StatusConflict):
		return fmt.Errorf("register as %q: %w; choose another name or, if it is yours, run coffer sign-in", name, err)
	case client.IsStatus(err, protocol.StatusInvalid):
		return fmt.Errorf("register as %q: the server does not accept this name: %w", name, err)
	case client.IsStatus(err, protocol.StatusForbidden):
		return fmt.Errorf("register as %q: %w; ask the server's operator", name, err)
	}
	return fmt.Errorf("register as %q: %w, or the server does not accept registrations", name, err)
}

// bringKey brings the profile's key to the server, or finds that it has it, and
// closes the account to base requests, which its id alone authorizes. It
// reports false if the server takes the key not.
func (p *profile) bringKey(ctx context.Context, conn *client.Conn) (done bool, err error) {
	credentials, err := p.credentials()
	if err != nil {
		return false, err
	}
	answer, err := conn.Reconnect(ctx, credentials.Client, credentials.Name)
	if errors.Is(err, client.ErrReconnectDenied) || errors.Is(err, client.ErrRefused) {
		return p.sendKey(ctx, conn)
	}
	if err != nil {
		return false, err
	}
	// It has a key; that this is it shows in what it wrapped.
	der, err := x509.MarshalPKIXPublicKey(&credentials.Key.PublicKey)
	if err != nil {
		return false, err
	}
	key, err := crypt.Unwrap(credentials.Key, crypt.AutoOAEPHash(der), answer.WrappedKey)
	if err != nil {
		return false, nil
	}
	return true, closeBase(ctx, conn, credentials.Client, key)
}

// sendKey brings the server the public key of a registration that has none
// there. It is not done if the server refuses it.
func (p *profile) sendKey(ctx context.Context, conn *client.Conn) (done bool, err error) {
	credentials, err := p.credentials()
	if err != nil {
		return false, err
	}
	der, err := x509.MarshalPKIXPublicKey(&credentials.Key.PublicKey)
	if err != nil {
		return false, err
	}
	answer, err := conn.SendPublicKey(ctx, credentials.Client, credentials.Name, der)
	if errors.Is(err, client.ErrRefused) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	key, err := crypt.Unwrap(credentials.Key, crypt.AutoOAEPHash(der), answer.WrappedKey)
	if err != nil {
		return false, fmt.Errorf("unwrap the session key: %w", err)
	}
	return true, closeBase(ctx, conn, credentials.Client, key)
}

// closeBase has the server refuse base requests for the account. An earlier
// server knows no such thing, and serves them.
func closeBase(ctx context.Context, conn *client.Conn, id protocol.ClientID, key crypt.SessionKey) error {
	if err := conn.Prove(ctx, id, key); err != nil {
		return fmt.Errorf("prove the session key: %w", err)
	}
	err := conn.SetBaseAccess(ctx, id, false)
	if err != nil && !client.IsStatus(err, protocol.StatusInvalid) {
		return fmt.Errorf("close the account to base requests: %w", err)
	}
	return nil
}

// makeKeys makes both keys and returns the public half of the RSA key.
func (p *profile) makeKeys(bits int) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("create an RSA key: %w", err)
	}
	if p.RSAKey, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, err
	}
	id, err := seal.GenerateIdentity()
	if err != nil {
		return nil, err
	}
	p.Identity = id.Secret()
	return x509.MarshalPKIXPublicKey(&key.PublicKey)
}
