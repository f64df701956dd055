package program

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"coffer/internal/socket"
)

// TLSFlags say what a server proves itself with. Who embeds them gives their
// variables a prefix.
type TLSFlags struct {
	TLSCert string `name:"tls-cert" help:"Certificate chain, PEM; with --tls-key, TLS is spoken." env:"TLS_CERT" type:"filename" placeholder:"FILE"`
	TLSKey  string `name:"tls-key" help:"The certificate's private key, PEM." env:"TLS_KEY" type:"filename" placeholder:"FILE"`
}

// Check reports flags that make no sense together.
func (f TLSFlags) Check() error {
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key must be used together")
	}
	return nil
}

// ServerTLS is nil if TLS is not to be spoken.
func (f TLSFlags) ServerTLS() (*tls.Config, error) {
	if f.TLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(f.TLSCert, f.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// ClientTLS trusts servers with a certificate from these authorities, in PEM;
// without any, the system's.
func ClientTLS(pem []byte) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(pem) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("it contains no PEM certificate")
		}
	}
	return conf, nil
}

// Reachable is where this machine reaches what listens on an address.
func Reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

// Listen opens a listener for someone, at a TCP address or on a Unix socket.
func Listen(ctx context.Context, addr, forWhom string) (net.Listener, error) {
	l, err := socket.Listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", forWhom, err)
	}
	return l, nil
}
