package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"coffer/internal/program"
	"coffer/protocol"
)

// connectFlags say how the server is reached. Without any it is by TLS, and
// what proves the server the first time has to prove it from then on.
type connectFlags struct {
	TLS      bool   `name:"tls" help:"Require a certificate signed by a system CA."`
	TLSCA    string `name:"tls-ca" type:"existingfile" help:"Require a certificate signed by one of these CAs (PEM)."`
	Pin      string `placeholder:"sha256//..." help:"Require this certificate; coffer-server pin prints its pin on the server."`
	Insecure bool   `help:"Use plain TCP: anyone who can change the traffic can impersonate the server and this client."`
}

// Validate checks what flags mean together.
func (f connectFlags) Validate() error {
	if f.Insecure && (f.TLS || f.TLSCA != "" || f.Pin != "") {
		return errors.New("--insecure excludes --tls, --tls-ca and --pin")
	}
	if f.Pin == "" {
		return nil
	}
	if err := program.CheckPin(f.Pin); err != nil {
		return fmt.Errorf("--pin: %w", err)
	}
	return nil
}

// apply sets in the profile what the flags say, and leaves the rest.
func (f connectFlags) apply(p *profile) error {
	switch {
	case f.Insecure:
		p.Insecure, p.TLS, p.TLSCA, p.TLSPin = true, false, "", ""
	case f.TLSCA != "":
		pem, err := os.ReadFile(f.TLSCA)
		if err != nil {
			return err
		}
		p.Insecure, p.TLS, p.TLSCA, p.TLSPin = false, true, string(pem), f.Pin
	case f.TLS || f.Pin != "":
		p.Insecure, p.TLS, p.TLSCA, p.TLSPin = false, true, "", f.Pin
	}
	return nil
}

// serverAddress is the address of a core that a person typed: the port may be
// left out.
func serverAddress(text string) (string, error) {
	port := strconv.Itoa(protocol.DefaultPort)
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		return "", fmt.Errorf("%w: %s://... is a web address: use the address of the server itself, such as --server %s", program.ErrUsage, scheme, net.JoinHostPort(strings.Trim(host, "[]"), port))
	}
	host, given, err := net.SplitHostPort(text)
	if err != nil { // no port, or an IPv6 address as it is
		host, given = strings.Trim(text, "[]"), port
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", fmt.Errorf("%w: --server %q is not HOST:PORT", program.ErrUsage, text)
		}
	}
	if given == "" {
		given = port
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 || n > 65535 || host == "" || strings.ContainsAny(host, "/ ") {
		return "", fmt.Errorf("%w: --server %q is not HOST:PORT", program.ErrUsage, text)
	}
	return net.JoinHostPort(host, given), nil
}

// tlsConfig is nil for plain TCP.
func (p *profile) tlsConfig() (*tls.Config, error) {
	if !p.TLS {
		return nil, nil
	}
	conf, err := program.ClientTLS([]byte(p.TLSCA))
	if err != nil {
		return nil, fmt.Errorf("read the CA file: %w", err)
	}
	if p.TLSPin == "" {
		return conf, nil
	}
	if p.TLSCA == "" {
		conf.InsecureSkipVerify = true // the pin is more than authorities know
	}
	want := p.TLSPin
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		if got := program.Pin(state.PeerCertificates[0]); got != want {
			return &otherCertificateError{want: want, got: got}
		}
		return nil
	}
	return conf, nil
}

// An otherCertificateError: the server shows another certificate than the one
// that was pinned.
type otherCertificateError struct{ want, got string }

func (e *otherCertificateError) Error() string {
	return fmt.Sprintf("the server's certificate is %s, not %s as before. Either it was replaced, or someone is intercepting the connection: "+
		"ask the operator for the output of coffer-server pin. Only if that shows the new one, accept it with coffer pin %[1]s", e.got, e.want)
}

// settle decides how the profile's server is reached, if nobody has yet, by
// looking at what it speaks. It reports whether it had to; saySettled says what
// it found, once that is kept.
func (a *app) settle(p *profile) (bool, error) {
	if p.TLS || p.Insecure {
		return false, nil
	}
	found, err := look(a.ctx, p.Server)
	if err != nil {
		return false, err
	}
	host, _, err := net.SplitHostPort(p.Server)
	if err != nil {
		return false, err
	}
	switch {
	case found.tls == nil && isLoopback(host):
		p.Insecure = true // nobody stands between
		a.settled = fmt.Sprintf("The server at %s does not use TLS. It is on this machine, so plain TCP is fine.", p.Server)
	case found.tls == nil:
		return false, fmt.Errorf("the server at %s does not use TLS: anyone who can change the traffic could impersonate it and you. Use --insecure to connect anyway", p.Server)
	case vouchedFor(found.tls, host):
		p.TLS = true
	default:
		p.TLS, p.TLSPin = true, program.Pin(found.tls.PeerCertificates[0])
		a.settled = fmt.Sprintf("The certificate of the server at %s is %s. From now on no other is accepted. To compare it, run coffer-server pin on the server.", p.Server, p.TLSPin)
	}
	return true, nil
}

// settleAndSave settles a profile that a web page made, or an earlier version,
// and remembers how.
func (a *app) settleAndSave(p *profile) error {
	settled, err := a.settle(p)
	if err != nil || !settled {
		return err
	}
	if err := a.saveProfile(p); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	a.saySettled()
	return nil
}

// saySettled says how the server is reached from now on, if settle decided it.
func (a *app) saySettled() {
	if a.settled != "" {
		fmt.Fprintln(a.stderr, a.settled)
		a.settled = ""
	}
}

// vouchedFor reports whether the system's authorities vouch for a certificate.
func vouchedFor(state *tls.ConnectionState, host string) bool {
	return verifyChain(state, host) == nil
}

// lookTimeout is how long what answers may take to show what it is.
const lookTimeout = 5 * time.Second

// found is a server of Coffer's; tls is nil if it speaks none.
type found struct{ tls *tls.ConnectionState }

// look finds out what answers at an address. Its errors say that in words, and
// what to type instead.
func look(ctx context.Context, addr string) (found, error) {
	conn, err := dialAnyTLS(ctx, addr)
	if err != nil {
		return found{}, lookInsecurely(ctx, addr)
	}
	defer conn.Close()
	what := ask(conn)
	if what == isUnknown {
		if again, err := dialAnyTLS(ctx, addr); err == nil {
			defer again.Close()
			what = askWeb(again)
		}
	}
	if what != isCoffer {
		return found{}, notCoffer(addr, what, "https")
	}
	state := conn.ConnectionState()
	return found{&state}, nil
}

// lookInsecurely fails if what answers without TLS is no core.
func lookInsecurely(ctx context.Context, addr string) error {
	nc, err := dialTCP(ctx, addr)
	if err != nil {
		return unreachable(addr, err)
	}
	defer nc.Close()
	what := ask(nc)
	if what == isUnknown {
		again, err := dialTCP(ctx, addr)
		if err != nil {
			return unreachable(addr, err)
		}
		defer again.Close()
		what = askWeb(again)
	}
	if what != isCoffer {
		return notCoffer(addr, what, "http")
	}
	return nil
}

// dialTCP connects, for as long as looking may take.
func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: lookTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return nc, nc.SetDeadline(time.Now().Add(lookTimeout))
}

// dialAnyTLS is dialTCP and TLS, whatever certificate comes.
func dialAnyTLS(ctx context.Context, addr string) (*tls.Conn, error) {
	nc, err := dialTCP(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return conn, nil
}

// An answerer is what answers at an address.
type answerer int

const (
	isUnknown answerer = iota
	isCoffer
	isWeb
	isTLSOnly  // a core that refuses plain TCP
	isInternal // a core's listener for gateways
)

// ask asks for a challenge, which every core answers in some way at once.
func ask(nc net.Conn) answerer {
	return askWith(nc, protocol.AppendRequest(nil, protocol.ClientID{}, &protocol.Challenge{}, 0))
}

// askWeb asks for a page: a web server waits for the end of a line.
func askWeb(nc net.Conn) answerer { return askWith(nc, []byte("GET / HTTP/1.0\r\n\r\n")) }

func askWith(nc net.Conn, question []byte) answerer {
	head, status := exchange(nc, question)
	switch n := len(head); {
	case status == protocol.StatusForbidden:
		return isTLSOnly
	case n >= 3 && head[0] == protocol.Version:
		return isCoffer
	case strings.HasPrefix(string(head), "HTTP/"):
		return isWeb
	default:
		return isUnknown
	}
}

// exchange asks a question. It returns how the answer begins, and the status if
// that is a core's failure.
func exchange(nc net.Conn, question []byte) (head []byte, status protocol.Status) {
	if _, err := nc.Write(question); err != nil {
		return nil, 0
	}
	nc.SetReadDeadline(time.Now().Add(lookTimeout / 2))
	head = make([]byte, protocol.ResponseHeaderSize+2)
	n, _ := nc.Read(head)
	head = head[:n]
	if n == cap(head) && head[0] == protocol.Version && protocol.Code(binary.LittleEndian.Uint16(head[1:])) == protocol.CodeFailure {
		status = protocol.Status(binary.LittleEndian.Uint16(head[protocol.ResponseHeaderSize:]))
	}
	return head, status
}

// isForGateways reports whether a core that refuses clients does so because its
// listener is the one for gateways. Elsewhere a gateway is not even listened to.
func (p *profile) isForGateways(ctx context.Context) bool {
	dial := dialTCP
	if p.TLS {
		dial = func(ctx context.Context, addr string) (net.Conn, error) { return dialAnyTLS(ctx, addr) }
	}
	nc, err := dial(ctx, p.Server)
	if err != nil {
		return false
	}
	defer nc.Close()
	_, status := exchange(nc, protocol.AppendRequest(nil, protocol.ClientID{}, &protocol.ProveGateway{}, 0))
	return status == protocol.StatusConflict
}

// lookAt fails if what answers at the profile's server is no core. With TLS
// demanded, what answers without it is said to be that, and no more is asked of
// a certificate than Dial asks afterwards.
func (p *profile) lookAt(ctx context.Context) error {
	if p.Insecure {
		return lookInsecurely(ctx, p.Server)
	}
	if !p.TLS {
		return nil // settle looks
	}
	found, err := look(ctx, p.Server)
	if err == nil && found.tls == nil {
		err = fmt.Errorf("the server at %s does not use TLS: remove --tls, --tls-ca and --pin", p.Server)
	}
	return err
}

// notCoffer says that something else than a core answers.
func notCoffer(addr string, what answerer, scheme string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	usual := net.JoinHostPort(host, strconv.Itoa(protocol.DefaultPort))
	if what == isTLSOnly {
		return fmt.Errorf("the server at %s requires TLS: remove --insecure", addr)
	}
	if what == isInternal {
		return fmt.Errorf("%s is where the server listens to gateways, not to clients: try --server %s", addr, usual)
	}
	if what == isWeb {
		return fmt.Errorf("%s is a web server, such as a gateway (%s://%[1]s) or the operator's console, and not the Coffer server itself: try --server %[3]s", addr, scheme, usual)
	}
	return fmt.Errorf("%s is not a Coffer server: try --server %s", addr, usual)
}
