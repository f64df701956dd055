package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server"
)

// certificate makes one that vouches for itself.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// startTLSCore starts a core that speaks TLS as well as plain TCP.
func startTLSCore(t testing.TB, adjust func(*server.Config)) *core {
	t.Helper()
	conf := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	return startCore(t, func(cfg *server.Config) {
		cfg.TLS = conf
		if adjust != nil {
			adjust(cfg)
		}
	})
}

var trusting = &tls.Config{InsecureSkipVerify: true}

// secured is a client on a connection with TLS.
func (c *core) secured() *wire {
	c.t.Helper()
	nc, err := tls.Dial("tcp", c.public, trusting)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { nc.Close() })
	w := dial(c.t, c.public)
	w.nc = nc
	return w
}

// One port serves both: base clients without TLS, and clients that begin TLS.
func TestTLSBesidePlain(t *testing.T) {
	c := startTLSCore(t, nil)
	for name, connect := range map[string]func() *wire{
		"plain": func() *wire { return dial(t, c.public) },
		"TLS":   c.secured,
	} {
		t.Run(name, func(t *testing.T) {
			w := connect()
			w.t = t
			w.register("client " + name)
			w.sendKey(key1024)
			plain := bytes.Repeat([]byte(name), 300_000)
			w.store("file", plain, 100_000)
			w.prove()
			w.expectStored("file", plain)
		})
	}
}

// A client id that reads like the beginning of TLS is a client id.
func TestClientIDLikeTLS(t *testing.T) {
	c := startTLSCore(t, nil)
	w := dial(t, c.public)
	copy(w.id[:], []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3, 1, 2, 3, 4, 5})
	w.send(1027, field("nobody"))
	w.expectID(1606)
	v := dial(t, c.public)
	v.id = w.id
	v.name = "somebody"
	v.send(1025, field(v.name))
	copy(v.id[:], v.expect(1600))
	v.sendKey(key1024)
}

// With --tls-only a client without TLS is refused in its own language, a base
// client by 1607, and the log gives the operator the reason.
func TestTLSOnly(t *testing.T) {
	c := startTLSCore(t, func(cfg *server.Config) { cfg.TLSOnly = true })
	w := dial(t, c.public)
	w.send(1025, field("plain"))
	w.expectEmpty(1607)
	w.closed()
	v := dial(t, c.public)
	v.send(1032)
	if status := v.failure(); status != protocol.StatusForbidden {
		t.Errorf("%v", status)
	}
	v.closed()
	c.secured().register("secure")
	failures := c.srv.Failures()
	if len(failures) != 1 || failures[0].Reason == "" {
		t.Errorf("the operator sees %+v", failures)
	}
	dial(t, c.internal).send(1069) // is not concerned
}

// A connection that begins TLS and does not go on is closed as soon as one that
// begins a header.
func TestHalfHandshake(t *testing.T) {
	c := startTLSCore(t, func(cfg *server.Config) { cfg.HeaderTimeout = 50 * time.Millisecond })
	for name, half := range map[string][]byte{"a record's first byte": {0x16}, "a ClientHello's beginning": {0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}} {
		w := dial(t, c.public)
		w.write(half)
		w.nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := w.nc.Read(make([]byte, 64)); err == nil || isTimeout(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// Over TLS the proof of the core secret covers the connection: an attacker
// between two connections, with another certificate, cannot relay it.
func TestProofCoversTLS(t *testing.T) {
	c := startTLSCore(t, nil)
	secret := coreSecret
	direct, err := client.Dial(t.Context(), c.internal, client.Options{Secret: &secret, TLS: trusting})
	if err != nil {
		t.Fatal(err)
	}
	direct.Close()

	l := listen(t)
	defer l.Close()
	between := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	go func() {
		nc, err := between.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		w := dialUnproven(t, c.internal)
		onward := tls.Client(w.nc, trusting)
		defer onward.Close()
		go func() {
			defer nc.Close()
			relay(nc, onward)
		}()
		relay(onward, nc)
	}()
	if _, err := client.Dial(t.Context(), l.Addr().String(), client.Options{Secret: &secret, TLS: trusting}); !errors.Is(err, client.ErrCoreSecret) {
		t.Errorf("by way of a man in the middle: %v", err)
	}
	if _, err := client.Dial(t.Context(), c.internal, client.Options{Secret: &crypt.CoreSecret{7}, TLS: trusting}); !errors.Is(err, client.ErrCoreSecret) {
		t.Errorf("a wrong secret: %v", err)
	}
}

// relay copies until one side ends.
func relay(to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
