package main

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"coffer/console/top"
	"coffer/internal/program"
)

// consoleAccess is how other commands come in to a running server's console.
type consoleAccess struct {
	consoleFlags

	Data string `help:"Data folder of the server, with the console token." default:"./data" type:"path" env:"COFFER_SERVER_DATA"`
	TLS  bool   `name:"tls" help:"Use TLS to the console. Its certificate is not verified over loopback."`
}

// find tells where the console is, and the token that opens it.
func (a consoleAccess) find() (address, token string, err error) {
	if !listens(a.ConsoleListen) {
		return "", "", fmt.Errorf("%w: --console-listen: the console is disabled", program.ErrUsage)
	}
	secret, err := a.token(a.Data).Read()
	if err != nil {
		return "", "", elsewhere(err, a.Data, "--console-token-file")
	}
	return consoleURL(a.ConsoleListen, a.TLS), hex.EncodeToString(secret[:]), nil
}

// source is the console that is found.
func (a consoleAccess) source(timeout time.Duration) (*top.Source, error) {
	address, token, err := a.find()
	if err != nil {
		return nil, err
	}
	return &top.Source{URL: address, Token: token,
		HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: a.clientTLS(), ResponseHeaderTimeout: timeout}}}, nil
}

// clientTLS checks certificates unless the console is on this machine, where
// nobody stands between.
func (a consoleAccess) clientTLS() *tls.Config {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if u, err := url.Parse(consoleURL(a.ConsoleListen, true)); err == nil {
		ip := net.ParseIP(u.Hostname())
		conf.InsecureSkipVerify = strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
	}
	return conf
}

// elsewhere says what to do about a secret that is not in the data folder where
// a command looks.
func elsewhere(err error, data, flag string) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("no server has been started on the data folder %s: set --data to the server's folder, or %s to the secret's file: %w", data, flag, err)
}

// linkCmd prints the console's link, for operators whose server runs where
// what it prints as it starts is kept, and the token left out of it.
type linkCmd struct{ consoleAccess }

// Run prints the link.
func (cmd *linkCmd) Run(std program.Streams) error {
	address, token, err := cmd.find()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s/?token=%s\n", address, token)
	return err
}
