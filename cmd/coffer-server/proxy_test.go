package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// header is a PROXY header, version 1 or 2, for a connection from an address.
func header(t *testing.T, version byte, from string) string {
	t.Helper()
	client, err := net.ResolveTCPAddr("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	to := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 1256}
	if client.IP.To4() == nil {
		to.IP = net.ParseIP("2001:db8::1")
	}
	text, err := proxyproto.HeaderProxyFromAddrs(version, client, to).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A visit is what the server saw of a connection.
type visit struct {
	peer string // host and port
	said string
	err  error
}

// receive makes a listener that trusts 127.0.0.2, and tells of each connection.
func receive(t *testing.T, patience time.Duration, conf *tls.Config) (addr string, visits <-chan visit, log *bytes.Buffer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
	var proxy trusted
	if err := proxy.UnmarshalText([]byte("127.0.0.2")); err != nil {
		t.Fatal(err)
	}
	var listener net.Listener = &proxyListener{Listener: l, trusted: []trusted{proxy}, patience: patience, log: slog.New(slog.NewTextHandler(log, nil))}
	if conf != nil {
		listener = tls.NewListener(listener, conf)
	}
	seen := make(chan visit)
	var accepting, serving sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				text, err := io.ReadAll(conn)
				seen <- visit{conn.RemoteAddr().String(), string(text), err}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		accepting.Wait()
		serving.Wait()
	})
	return l.Addr().String(), seen, log
}

// dial connects from one of this machine's addresses.
func dial(t *testing.T, from, to string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", to)
	if err != nil {
		if runtime.GOOS != "linux" { // which has all of 127.0.0.0/8
			t.Skipf("no connections from %s here: %v", from, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func TestProxyProtocol(t *testing.T) {
	const request = "a request"
	v1, v2, v6 := header(t, 1, "203.0.113.9:4711"), header(t, 2, "203.0.113.9:4711"), header(t, 2, "[2001:db8::9]:4711")
	local, err := proxyproto.HeaderProxyFromAddrs(2, nil, nil).Format()
	if err != nil {
		t.Fatal(err)
	}
	withTLVs := []byte(v2 + "\x04\x00\x03abc") // and what a proxy may add
	withTLVs[15] += 6
	for _, test := range []struct {
		name, from, sends string
		peer              string // "" for the sender's own
		said              string
		refused           bool // and a warning in the log
		silent            bool // refused without one
	}{
		{name: "version 1", from: "127.0.0.2", sends: v1 + request, peer: "203.0.113.9:4711", said: request},
		{name: "version 2", from: "127.0.0.2", sends: v2 + request, peer: "203.0.113.9:4711", said: request},
		{name: "IPv6", from: "127.0.0.2", sends: v6 + request, peer: "[2001:db8::9]:4711", said: request},
		{name: "with more in the header", from: "127.0.0.2", sends: string(withTLVs) + request, peer: "203.0.113.9:4711", said: request},
		{name: "the proxy's own", from: "127.0.0.2", sends: string(local) + request, said: request},
		{name: "of no known kind", from: "127.0.0.2", sends: "PROXY UNKNOWN\r\n" + request, said: request},
		{name: "no header", from: "127.0.0.2", sends: request, refused: true},
		{name: "half a header", from: "127.0.0.2", sends: v2[:20], refused: true},
		{name: "another version", from: "127.0.0.2", sends: v2[:12] + "\x31" + v2[13:] + request, refused: true},
		{name: "not an address", from: "127.0.0.2", sends: "PROXY TCP4 203.0.113.999 198.51.100.1 1 2\r\n" + request, refused: true},
		{name: "a line without end", from: "127.0.0.2", sends: "PROXY TCP4 " + strings.Repeat("1", 10_000), refused: true},
		{name: "nothing at all", from: "127.0.0.2", silent: true},
		{name: "not trusted, version 1", from: "127.0.0.3", sends: v1 + request, said: v1 + request},
		{name: "not trusted, version 2", from: "127.0.0.3", sends: v2 + request, said: v2 + request},
		{name: "not trusted, no header", from: "127.0.0.3", sends: request, said: request},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr, visits, log := receive(t, 10*time.Second, nil)
			conn := dial(t, test.from, addr)
			if _, err := io.WriteString(conn, test.sends); err != nil {
				t.Fatal(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got := <-visits
			peer := test.peer
			if peer == "" {
				peer = conn.LocalAddr().String()
			}
			if got.peer != peer || got.said != test.said || (got.err != nil) != (test.refused || test.silent) {
				t.Errorf("the server saw %q from %s, %v; want %q from %s", got.said, got.peer, got.err, test.said, peer)
			}
			if warned := strings.Contains(log.String(), "no readable PROXY header"); warned != test.refused {
				t.Errorf("the log says %q", log)
			}
		})
	}
}

// A header may come in pieces, but not for ever; and who is slow keeps nobody
// else waiting.
func TestProxyProtocolSlowly(t *testing.T) {
	addr, visits, log := receive(t, 500*time.Millisecond, nil)
	v2 := header(t, 2, "203.0.113.9:4711")
	never := dial(t, "127.0.0.2", addr)
	if _, err := io.WriteString(never, v2[:20]); err != nil {
		t.Fatal(err)
	}
	quick := dial(t, "127.0.0.2", addr)
	for i := range v2 {
		if _, err := io.WriteString(quick, v2[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := quick.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := <-visits; got.peer != "203.0.113.9:4711" || got.err != nil {
		t.Errorf("the one in pieces: %+v", got)
	}
	if got := <-visits; got.peer != never.LocalAddr().String() || got.err == nil {
		t.Errorf("the one that never ended: %+v", got)
	}
	if !strings.Contains(log.String(), "no readable PROXY header") {
		t.Errorf("the log says %q", log)
	}
}

// The header comes first and in the clear, TLS after it.
func TestProxyProtocolAndTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	addr, visits, _ := receive(t, 10*time.Second, &tls.Config{Certificates: certified.TLS.Certificates})
	conn := dial(t, "127.0.0.2", addr)
	if _, err := io.WriteString(conn, header(t, 2, "203.0.113.9:4711")); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	inside := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "example.com"})
	if _, err := io.WriteString(inside, "a request"); err != nil {
		t.Fatal(err)
	}
	if err := inside.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-visits; got.peer != "203.0.113.9:4711" || got.said != "a request" {
		t.Errorf("the server saw %+v", got)
	}
}

// What a proxied connection is closed with must be half open like any other:
// the last response arrives although not all was read.
func TestProxyProtocolHalfClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all := trusted{}
	if err := all.UnmarshalText([]byte("127.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	listener := &proxyListener{Listener: l, trusted: []trusted{all}, patience: 10 * time.Second, log: slog.New(slog.DiscardHandler)}
	conn := dial(t, "127.0.0.1", l.Addr().String())
	if _, err := io.WriteString(conn, header(t, 1, "203.0.113.9:4711")); err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if _, err := io.WriteString(accepted, "the end"); err != nil {
		t.Fatal(err)
	}
	if err := accepted.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "the end" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.WriteString(conn, "more"); err != nil {
		t.Errorf("the other half is closed, too: %v", err)
	}
}

func TestTrusted(t *testing.T) {
	for text, holds := range map[string]string{
		"192.0.2.7": "192.0.2.7", "10.1.2.3/8": "10.200.0.1", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::/32": "2001:db8::5",
	} {
		var one trusted
		if err := one.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		l := &proxyListener{trusted: []trusted{one}}
		if !l.trusts(&net.TCPAddr{IP: net.ParseIP(holds)}) || l.trusts(&net.TCPAddr{IP: net.ParseIP("203.0.113.1")}) {
			t.Errorf("%s does not mean %s alone", text, holds)
		}
	}
	for _, text := range []string{"", "balancer", "10.0.0.0/33", "1.2.3", "10.0.0.1:80"} {
		if err := new(trusted).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}
