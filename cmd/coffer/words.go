package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// unreachable says why nothing answers at an address.
func unreachable(addr string, err error) error {
	return fmt.Errorf("no answer from %s: %s", addr, networkWords(err))
}

// networkWords are what a person reads in place of what the system says about a
// connection.
func networkWords(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("no such host: %s", dns.Name)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s could not be resolved", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused; check that the server is running and the port is right"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "the host is unreachable"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	default:
		return err.Error()
	}
}

// tlsWords are what a person reads about TLS that failed, and whether it did.
func tlsWords(err error) (string, bool) {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	switch {
	case errors.As(err, new(*otherCertificateError)):
		return "", false // says it all
	case errors.As(err, &record):
		return "the server does not use TLS: it is not the one this machine was set up with, or it no longer uses TLS", true
	case errors.As(err, &authority):
		return "the server's certificate is not signed by a trusted CA (--tls-ca adds one; without --tls and --tls-ca the certificate itself is pinned)", true
	case errors.As(err, &name):
		return fmt.Sprintf("the server's certificate is not valid for %s", name.Host), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired, or this machine's clock is wrong", true
	case errors.As(err, &invalid):
		return "the server's certificate is not valid", true
	case errors.As(err, &alert):
		return "the server ended the TLS handshake: it requires another TLS version or a client certificate", true
	}
	return "", false
}

// httpWords are what a person reads about an answer that is no HTTP.
func httpWords(err error) (string, bool) {
	text := err.Error()
	switch {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "the gateway does not use TLS: its address begins with http://", true
	case strings.Contains(text, "malformed HTTP"), strings.Contains(text, "http: server gave"):
		return "this is not a web server: --gateway is the address of the web client, not the server's own port", true
	}
	return "", false
}

// inWords puts what the standard library says about connections into words.
// What was being done stays in front of it.
func inWords(err error) error {
	words, is := tlsWords(err)
	if !is {
		words, is = httpWords(err)
	}
	var op *net.OpError
	if !is && errors.As(err, &op) && op.Op == "dial" {
		words, is = networkWords(err), true
		if op.Addr != nil {
			words = fmt.Sprintf("no answer from %s: %s", op.Addr, words)
		}
	}
	if !is {
		return systemWords(err)
	}
	doing, _, _ := strings.Cut(err.Error(), ": ")
	return &wordedError{doing + ": " + words, err}
}

// systemWords leaves out of an error what the system's call was: a person reads
// which file it is about, and why.
func systemWords(err error) error {
	var failed *fs.PathError
	if !errors.As(err, &failed) {
		return err
	}
	why := failed.Err.Error()
	switch {
	case errors.Is(failed.Err, fs.ErrNotExist):
		why = "no such file or folder"
	case errors.Is(failed.Err, fs.ErrPermission):
		why = "permission denied"
	}
	return &wordedError{strings.Replace(err.Error(), failed.Error(), failed.Path+": "+why, 1), err}
}

// A wordedError says in words what another error means.
type wordedError struct {
	text string
	err  error
}

func (e *wordedError) Error() string { return e.text }
func (e *wordedError) Unwrap() error { return e.err }

// verifyChain checks a certificate against the system's authorities.
func verifyChain(state *tls.ConnectionState, host string) error {
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: between})
	return err
}
