package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/program"
)

// certificateFile is where the certificate is that the core makes for itself.
// Certificate and key are in one file: neither is ever without the other.
func certificateFile(folder string) string { return filepath.Join(folder, "tls", "server.pem") }

// validity is of a certificate that nobody but clients that pinned it trusts.
const validity = 30 * 365 * 24 * time.Hour

// clientTLS is what the core speaks with clients that speak TLS: by the
// operator's certificate, or by one of its own, which clients pin.
func (cmd *serveCmd) clientTLS(log *slog.Logger) (*tls.Config, error) {
	conf, err := cmd.ServerTLS()
	if err != nil || conf != nil {
		return conf, err
	}
	file := certificateFile(cmd.Data)
	cert, err := tls.LoadX509KeyPair(file, file)
	if errors.Is(err, fs.ErrNotExist) {
		if cert, err = makeCertificate(file); err == nil {
			log.Info("created a TLS certificate; keep it, because clients pin it", "file", file)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the server's own certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// makeCertificate makes a certificate that vouches for itself, and keeps it.
func makeCertificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "coffer-server"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if name, err := os.Hostname(); err == nil {
		template.DNSNames = append(template.DNSNames, name)
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	content := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return tls.Certificate{}, err
	}
	if err := program.WritePrivate(file, content); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(content, content)
}

// pinOf is the pin of what the core proves itself with.
func pinOf(conf *tls.Config) (string, error) {
	cert := conf.Certificates[0].Leaf
	if cert == nil {
		var err error
		if cert, err = x509.ParseCertificate(conf.Certificates[0].Certificate[0]); err != nil {
			return "", err
		}
	}
	return program.Pin(cert), nil
}

// pinCmd prints what clients pin the server by, so that people can compare it
// with what they are shown when they register.
type pinCmd struct {
	program.TLSFlags `envprefix:"COFFER_SERVER_"`

	Data string `help:"Data folder of the server, with its own certificate." default:"./data" type:"filename" env:"COFFER_SERVER_DATA"`
}

// Run prints the pin.
func (cmd *pinCmd) Run(std program.Streams) error {
	if err := cmd.Check(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	conf, err := cmd.ServerTLS()
	if err != nil {
		return err
	}
	if conf == nil {
		file := certificateFile(cmd.Data)
		cert, err := tls.LoadX509KeyPair(file, file)
		if err != nil {
			return fmt.Errorf("load the server's own certificate, created on first start: %w", err)
		}
		conf = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	pin, err := pinOf(conf)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Out, pin)
	return err
}
