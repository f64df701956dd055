package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"coffer/console/top"
	"coffer/internal/program"
)

// topCmd shows a running server's figures in the terminal.
type topCmd struct {
	consoleAccess

	Once    bool          `help:"Print the metrics once and exit."`
	JSON    bool          `name:"json" help:"Print the metrics once as JSON and exit."`
	Timeout time.Duration `help:"Maximum time to wait with --once and --json." default:"5s"`
}

// Run shows the figures live on a terminal, and once on anything else.
func (cmd *topCmd) Run(ctx context.Context, std program.Streams) error {
	address, token, err := cmd.find()
	if err != nil {
		return err
	}
	source := &top.Source{URL: address, Token: token,
		HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: cmd.clientTLS(), ResponseHeaderTimeout: cmd.Timeout}}}
	defer source.HTTP.CloseIdleConnections()
	if screen, ok := std.Out.(*os.File); ok && !cmd.Once && !cmd.JSON && term.IsTerminal(int(screen.Fd())) {
		return top.Run(ctx, source, std.In, screen)
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	if cmd.JSON {
		return top.OnceJSON(ctx, source, std.Out)
	}
	return top.Once(ctx, source, std.Out)
}

// clientTLS checks certificates unless the console is on this machine, where
// nobody stands between.
func (cmd *topCmd) clientTLS() *tls.Config {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if u, err := url.Parse(consoleURL(cmd.ConsoleListen, true)); err == nil {
		ip := net.ParseIP(u.Hostname())
		conf.InsecureSkipVerify = strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
	}
	return conf
}
