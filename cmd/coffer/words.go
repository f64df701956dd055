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
	return fmt.Errorf("nothing answers at %s: %s", addr, networkWords(err))
}

// networkWords are what a person reads in place of what the system says about a
// connection.
func networkWords(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("there is no host called %s", dns.Name)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s cannot be looked up", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused; is the server running, and the port right?"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to that machine from here"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer came in time"
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
		return "what answers there speaks no TLS: it is not the server that this was set up with, or not with TLS any more", true
	case errors.As(err, &authority):
		return "no authority that is trusted here vouches for the server's certificate (--tls-ca names one; without --tls and --tls-ca the certificate itself is remembered)", true
	case errors.As(err, &name):
		return fmt.Sprintf("the server's certificate is for another name than %s", name.Host), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired, or the clock here is wrong", true
	case errors.As(err, &invalid):
		return "the server's certificate is not valid", true
	case errors.As(err, &alert):
		return "the other side broke TLS off: it wants another version, or another kind of client", true
	}
	return "", false
}

// httpWords are what a person reads about an answer that is no HTTP.
func httpWords(err error) (string, bool) {
	text := err.Error()
	switch {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "what answers there speaks no TLS: its address begins with http://", true
	case strings.Contains(text, "malformed HTTP"), strings.Contains(text, "http: server gave"):
		return "what answers there is no web server: --gateway is the address of the account's web page, and the server's own port is another", true
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
			words = fmt.Sprintf("nothing answers at %s: %s", op.Addr, words)
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
		why = "there is no such file or folder"
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
