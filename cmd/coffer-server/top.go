package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
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
	consoleFlags

	Data    string        `help:"Folder of the server's data, where the console's token is." default:"./data" type:"path"`
	TLS     bool          `name:"tls" help:"The console speaks TLS. Its certificate is not checked where the connection stays on the machine."`
	Once    bool          `help:"Print the figures once, and end."`
	JSON    bool          `name:"json" help:"Print them once, as JSON."`
	Timeout time.Duration `help:"How long to wait for figures that are printed once." default:"5s"`
}

// Run shows the figures live on a terminal, and once on anything else.
func (cmd *topCmd) Run(ctx context.Context, std program.Streams) error {
	if cmd.ConsoleListen == "" {
		return fmt.Errorf("%w: --console-listen: the console is off", program.ErrUsage)
	}
	token, err := cmd.token(cmd.Data).Read()
	if err != nil {
		return err
	}
	source := &top.Source{URL: consoleURL(cmd.ConsoleListen, cmd.TLS), Token: hex.EncodeToString(token[:]),
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
