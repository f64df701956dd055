package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"coffer/internal/program"
)

// healthCmd asks a running gateway whether it is ready.
type healthCmd struct {
	URL      string        `name:"url" help:"URL of the gateway. Default: the --listen address on this machine." placeholder:"URL"`
	Listen   string        `help:"Address the gateway listens on." default:":5000" env:"COFFER_GATEWAY_LISTEN"`
	Insecure bool          `help:"Do not verify the certificate. For connections that stay on this machine."`
	Timeout  time.Duration `help:"Maximum time to wait for an answer." default:"5s"`
}

// Run exits with 0 if the gateway reaches the core.
func (cmd *healthCmd) Run(ctx context.Context, std program.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	url := cmd.URL
	if url == "" {
		url = "http://" + program.Reachable(cmd.Listen)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("%w: --url: %w", program.ErrUsage, err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: cmd.Insecure, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway answers %s", answer.Status)
	}
	fmt.Fprintln(std.Out, "ok")
	return nil
}
