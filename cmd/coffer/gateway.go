package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"coffer/internal/program"
	"coffer/protocol"
	"coffer/seal"
)

// gatewayFlags say where the gateway is, which serves HTTP.
type gatewayFlags struct {
	Gateway      string `required:"" placeholder:"URL" help:"URL of the gateway, such as https://backup.example.org."`
	GatewayCA    string `name:"gateway-ca" type:"existingfile" placeholder:"FILE" help:"CA certificates (PEM) for the gateway, instead of the system's."`
	InsecureHTTP bool   `name:"insecure-http" help:"Sign in to another machine without TLS: anyone who can read the traffic can sign in, too."`
}

const (
	gatewayTimeout = 30 * time.Second
	maxAnswer      = 1 << 20 // bytes
)

// A gateway is the HTTP side of an account's server.
type gateway struct {
	base *url.URL
	http *http.Client
}

// A signedIn is what the gateway gives who has signed in.
type signedIn struct {
	token  string
	client string // the id that a gateway of an earlier version gives, which was the wire's
}

func (f *gatewayFlags) open() (*gateway, error) {
	base, err := parseGateway(f.Gateway)
	if err != nil {
		return nil, err
	}
	if base.Scheme == "http" && !f.InsecureHTTP && !isLoopback(base.Hostname()) {
		return nil, fmt.Errorf("%w: --gateway is on another machine and does not use TLS: use https, or --insecure-http if you trust the network", program.ErrUsage)
	}
	var pem []byte
	if f.GatewayCA != "" {
		if pem, err = os.ReadFile(f.GatewayCA); err != nil {
			return nil, err
		}
	}
	config, err := program.ClientTLS(pem)
	if err != nil {
		return nil, fmt.Errorf("--gateway-ca: %w", err)
	}
	return &gateway{base: base, http: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config},
		Timeout:   gatewayTimeout,
		// A redirect could carry the password to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func parseGateway(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%w: --gateway must be a URL such as https://backup.example.org", program.ErrUsage)
	}
	return base, nil
}

// password derives what this gateway is told from a passphrase.
func (g *gateway) password(name, passphrase string) (string, error) {
	server, err := seal.SignInServer(g.base.Hostname())
	if err != nil {
		return "", err
	}
	return seal.SignInPassword(server, name, passphrase)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// call makes a call of the API and returns the body of its answer.
func (g *gateway) call(ctx context.Context, method, path, token string, body any) ([]byte, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, g.base.JoinPath("/api/v1", path).String(), in)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := g.http.Do(r)
	if err != nil && strings.Contains(err.Error(), "malformed HTTP") {
		return nil, g.notGateway("the Coffer server itself, or another program that is not a web server", err)
	}
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the gateway's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent {
		return nil, g.refusal(answer.StatusCode, out)
	}
	return out, nil
}

// A statusError is a call that the gateway refused.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

// refusal is what an answer means that is no success. A gateway's has a message,
// and the console's a detail.
func (g *gateway) refusal(status int, body []byte) error {
	var problem struct{ Message, Detail string }
	switch err := json.Unmarshal(body, &problem); {
	case err == nil && problem.Message != "":
		return &statusError{status, problem.Message}
	case err == nil && problem.Detail != "":
		return g.notGateway("the operator's console", &statusError{status: status})
	}
	return g.notGateway(fmt.Sprintf("not a Coffer gateway (status %d %s)", status, http.StatusText(status)), &statusError{status: status})
}

// notGateway says what answers in the place of a gateway, and what to type.
func (g *gateway) notGateway(what string, err error) error {
	return &wordedError{fmt.Sprintf("%s is %s: --gateway is the address of the web client, http://%s if the server has no proxy",
		g.base, what, net.JoinHostPort(g.base.Hostname(), "5000")), err}
}

func hasStatus(err error, status int) bool {
	var refused *statusError
	return errors.As(err, &refused) && refused.status == status
}

// signIn signs in with what was derived from the passphrase.
func (g *gateway) signIn(ctx context.Context, name, password string, earlier bool) (signedIn, error) {
	out, err := g.call(ctx, http.MethodPost, "/auth/login", "", map[string]string{"username": name, "password": password})
	if hasStatus(err, http.StatusUnauthorized) {
		return signedIn{}, deniedSignIn(name, earlier)
	}
	if err != nil {
		return signedIn{}, fmt.Errorf("sign in: %w", err)
	}
	var in struct {
		Token  string `json:"session_token"`
		Client string `json:"client_id"`
	}
	if json.Unmarshal(out, &in) != nil || in.Token == "" {
		return signedIn{}, errors.New("sign in: this is not a Coffer gateway")
	}
	return signedIn{in.Token, strings.ReplaceAll(in.Client, "-", "")}, nil
}

// deniedSignIn says what can be wrong, as far as that is not known: a gateway
// does not say which names it knows.
func deniedSignIn(name string, earlier bool) error {
	account := "no such account"
	if strings.ToLower(name) != name {
		account += " (capitals count)"
	}
	wrong := "it may have been set for another address of this server"
	if !earlier {
		wrong += ", or before passwords were bound to a server (--earlier-password)"
	}
	return fmt.Errorf("sign in as %q: %s, no passphrase set (coffer passphrase sets one), or wrong passphrase: %s", name, account, wrong)
}

// wireID asks for the account's client id on the wire, 32 hexadecimal digits.
func (g *gateway) wireID(ctx context.Context, in signedIn) (string, error) {
	out, err := g.call(ctx, http.MethodGet, "/account", in.token, nil)
	if hasStatus(err, http.StatusNotFound) {
		return in.client, nil
	}
	if err != nil {
		return "", fmt.Errorf("get the account: %w", err)
	}
	var account struct {
		WireID string `json:"wire_id"`
	}
	if err := json.Unmarshal(out, &account); err != nil {
		return "", errors.New("get the account: this is not a Coffer gateway")
	}
	return cmp.Or(account.WireID, in.client), nil
}

// keys fetches the account's keys, sealed with its passphrase, and its client
// id, and signs out.
func (g *gateway) keys(ctx context.Context, in signedIn) (bundle []byte, wireID string, err error) {
	// The token dies by itself; this is so that it does at once, and no reason
	// to fail.
	defer func() { _, _ = g.call(ctx, http.MethodPost, "/auth/logout", in.token, nil) }()
	bundle, err = g.call(ctx, http.MethodGet, "/keys/bundle", in.token, nil)
	if hasStatus(err, http.StatusNotFound) {
		return nil, "", errors.New("the server has no keys for this account: import its recovery file with coffer key import")
	}
	if err != nil {
		return nil, "", fmt.Errorf("get the account's keys: %w", err)
	}
	if len(bundle) > protocol.MaxKeyBundle {
		return nil, "", errors.New("get the account's keys: too large")
	}
	wireID, err = g.wireID(ctx, in)
	return bundle, wireID, err
}
