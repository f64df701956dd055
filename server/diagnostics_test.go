package server_test

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"coffer/internal/diagnose"
	"coffer/protocol"
	"coffer/server"
)

// failures asks the core what failed, as coffer-server doctor does.
func (c *core) failures() []protocol.FailedExchange {
	c.t.Helper()
	w := dial(c.t, c.internal)
	var m protocol.Failures
	w.ask(&protocol.ListFailures{}, nil, &m)
	return m.Exchanges
}

// swapped is the header of a client that writes numbers big-endian.
func swapped(id [16]byte, code uint16, size uint32) []byte {
	return append(append(id[:], 3), byte(code>>8), byte(code), byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
}

// Every known way in which clients fail is recognised.
func TestDoctorRules(t *testing.T) {
	const name = "client"
	plain := content(7, 200)
	for _, tt := range []struct {
		name string
		rule protocol.Rule
		fail func(w *wire)
	}{
		{"TLS", protocol.RuleTLS, func(w *wire) { w.write(append([]byte{0x16, 3, 1, 2, 0}, make([]byte, 100)...)); w.expectEmpty(1607) }},
		{"HTTP", protocol.RuleHTTP, func(w *wire) { w.write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); w.expectEmpty(1607) }},
		{"big-endian", protocol.RuleBigEndian, func(w *wire) {
			w.write(append(swapped(w.id, 1027, 255), field(name)...))
			w.nc.(*net.TCPConn).CloseWrite()
		}},
		{"big-endian, the sister dialect", protocol.RuleBigEndian, func(w *wire) {
			w.write(append(swapped(w.id, 825, 255), field(name)...))
			w.expectEmpty(1607)
			w.closed()
		}},
		{"header in another order", protocol.RuleHeaderOrder, func(w *wire) {
			w.write(append(append([]byte{3, 0x39, 3}, make([]byte, 16)...), 0x17, 0, 0, 0))
			w.expectEmpty(1607)
			w.closed()
		}},
		{"header in another order, and the version where it belongs", protocol.RuleHeaderOrder, func(w *wire) {
			w.write(append(append(w.id[:], 3, 255, 0, 0, 0), 1, 4))
			w.expectEmpty(1607)
			w.closed()
		}},
		{"no payload size", protocol.RuleNoSize, func(w *wire) {
			w.write(append(w.header(1028, 0), make([]byte, 303)...))
			w.expectEmpty(1607)
			w.closed()
		}},
		{"no payload size, 1029", protocol.RuleNoSize, func(w *wire) {
			w.write(append(w.header(1029, 0), field("f")...))
			w.expectEmpty(1607)
			w.closed()
		}},
		{"fields in another order", protocol.RuleFieldOrder, func(w *wire) {
			w.write(w.packetFrame("f", 1040, 1892, 2, 1, make([]byte, 36)))
			w.expectEmpty(1607)
			w.quiet()
		}},
		{"padding outside the payload size", protocol.RuleOutside, func(w *wire) {
			w.write(append(w.packetFrame("f", 16, 0, 1, 1, encrypt(w.key, nil)), make([]byte, 1008)...))
			w.expectFile("f", nil)
			w.expectEmpty(1607)
		}},
		{"unknown code", protocol.RuleUnknownCode, func(w *wire) { w.send(999); w.expectEmpty(1607) }},
		{"too large", protocol.RuleTooLarge, func(w *wire) { w.send(1027, make([]byte, 300)); w.expectEmpty(1607) }},
		{"too short", protocol.RuleTooShort, func(w *wire) { w.send(1027, []byte(name)); w.expectEmpty(1607) }},
		{"less than announced", protocol.RuleIncomplete, func(w *wire) {
			w.write(append(w.header(1027, 255), name...))
			w.nc.(*net.TCPConn).CloseWrite()
		}},
		{"a path for a name", protocol.RuleName, func(w *wire) {
			w.write(w.packetFrame(`C:\f`, 16, 0, 1, 1, encrypt(w.key, nil)))
			w.expectEmpty(1607)
		}},
		{"name taken", protocol.RuleNameTaken, func(w *wire) { w.send(1025, field(name)); w.expectEmpty(1601) }},
		{"unknown id", protocol.RuleUnknownClient, func(w *wire) { w.id[0]++; w.send(1027, field(name)); w.expectID(1606) }},
		{"wrong name", protocol.RuleWrongName, func(w *wire) { w.send(1027, field("other")); w.expectID(1606) }},
		{"no key", protocol.RuleNoKey, func(w *wire) { w.register("keyless"); w.send(1027, field("keyless")); w.expectID(1606) }},
		{"PEM", protocol.RulePublicKey, func(w *wire) {
			w.register("pem")
			w.send(1026, field("pem"), []byte("-----BEGIN PUBLIC KEY-----"))
			w.expectEmpty(1607)
		}},
		{"another key", protocol.RuleOtherKey, func(w *wire) { w.send(1026, field(name), publicDER(w.t, key17)); w.expectEmpty(1607) }},
		{"no session", protocol.RuleNoSession, func(w *wire) {
			w.register("fresh")
			w.write(w.packetFrame("f", 16, 0, 1, 1, make([]byte, 16)))
			w.expectEmpty(1607)
		}},
		{"counted from 0", protocol.RuleNumbers, func(w *wire) {
			w.write(w.packetFrame("f", 16, 0, 0, 1, encrypt(w.key, nil)))
			w.expectEmpty(1607)
		}},
		{"too little", protocol.RuleSizes, func(w *wire) {
			w.write(w.packetFrame("f", 16, 1000, 1, 1, encrypt(w.key, nil)))
			w.write(w.packetFrame("f", 16, 1000, 2, 1, nil))
			w.expectEmpty(1607)
		}},
		{"encrypted packet by packet", protocol.RulePadding, func(w *wire) {
			first, second := encrypt(w.key, plain[:100]), encrypt(w.key, plain[100:])
			w.write(append(w.packetFrame("f", 112, 200, 1, 2, first), w.packetFrame("f", 112, 200, 2, 2, second)...))
			w.expectEmpty(1607)
		}},
		{"confirmed unsent", protocol.RuleNotReceived, func(w *wire) { w.send(1029, field("f")); w.expectEmpty(1607) }},
		{"another checksum", protocol.RuleChecksum, func(w *wire) {
			w.write(bytes.Join(w.frames("f", plain, 100), nil))
			w.expectFile("f", plain)
			w.send(1031, field("f"))
			w.expectID(1604)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startCore(t, nil)
			w := c.newClient(name)
			tt.fail(w)
			var got []protocol.FailedExchange
			eventually(t, "the failure", func() bool { got = c.failures(); return len(got) > 0 })
			e := got[len(got)-1]
			if e.Rule != tt.rule || e.Reason == "" || e.Peer != "127.0.0.1" {
				t.Errorf("rule %d (%q), want %d: %+v", e.Rule, e.Reason, tt.rule, e)
			}
			if fields := diagnose.Exchange(&e).Fields; len(fields) < 4 {
				t.Errorf("%+v", fields)
			}
		})
	}
}

// What is remembered is bounded, the newest, and without a secret.
func TestDoctorKeepsNoSecret(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPacket = 1 << 20 })
	w := c.proven("client")
	id := w.id
	for range protocol.MaxFailures + 5 {
		w.send(1029, field("unsent"))
		w.expectEmpty(1607)
	}
	secret := bytes.Repeat([]byte("SECRET"), 100)
	w.write(w.packetFrame("last", 600, 590, 1, 1, secret)) // not encrypted at all
	w.expectEmpty(1607)
	w.fails(&protocol.SetPassword{Password: "", Bundle: secret}, nil, protocol.StatusInvalid)

	got := c.failures()
	if len(got) != protocol.MaxFailures {
		t.Fatalf("%d are remembered", len(got))
	}
	if got[0].Code != protocol.CodeSendFile || !strings.HasPrefix(got[0].Client, "client:") || got[0].Earlier < protocol.MaxFailures {
		t.Errorf("the newest is %+v", got[0])
	}
	all := (&protocol.Failures{Exchanges: got}).AppendPayload(nil)
	if bytes.Contains(all, []byte("SECRET")) || bytes.Contains(all, id[:]) {
		t.Error("content, or the client's id, is remembered")
	}
	// It is the operator's alone.
	v := dial(t, c.public)
	v.fails(&protocol.ListFailures{}, nil, protocol.StatusForbidden)
}
