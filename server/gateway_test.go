package server_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/crypt"
)

// gatewayProof is the proof of docs/protocol.md, made by hand.
func gatewayProof(secret [32]byte, who string, challenge, nonce, binding []byte) []byte {
	mac := hmac.New(sha256.New, secret[:])
	for _, part := range [][]byte{[]byte(who), challenge, nonce, binding} {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// proveGateway shows that the connection knows a core secret, and checks that
// the core does.
func (w *wire) proveGateway(secret [32]byte) {
	w.t.Helper()
	id := w.id
	w.id = [16]byte{}
	defer func() { w.id = id }()
	w.send(1032)
	challenge, nonce := w.expect(1609), make([]byte, 32)
	rand.Read(nonce)
	w.send(1082, nonce, gatewayProof(secret, "coffer gateway", challenge, nonce, nil))
	if !hmac.Equal(w.expect(1642), gatewayProof(secret, "coffer core", challenge, nonce, nil)) {
		w.t.Fatal("the core does not prove that it knows its secret")
	}
}

// text is a text as extensions have it.
func text(s string) []byte { return append(le.AppendUint16(nil, uint16(len(s))), s...) }

// failure expects a Failure and returns its status.
func (w *wire) failure() protocol.Status {
	w.t.Helper()
	return protocol.Status(le.Uint16(w.expect(1608)))
}

// Whoever reaches the internal listener and does not know the core's secret is
// served nothing at all, and gets one guess.
func TestInternalListenerWantsTheSecret(t *testing.T) {
	c := startCore(t, nil)
	victim := c.newClient("victim")
	for name, request := range map[string]func(w *wire){
		"status":            func(w *wire) { w.send(1069) },
		"sign-in":           func(w *wire) { w.send(1065, make([]byte, 17), text("victim"), text("")) },
		"remove account":    func(w *wire) { w.send(1053, text("")) },
		"list files":        func(w *wire) { w.send(1041, make([]byte, 11)) },
		"client's proof":    func(w *wire) { w.send(1033, make([]byte, 32)) },
		"without challenge": func(w *wire) { w.send(1082, make([]byte, 64)) },
		"wrong proof": func(w *wire) {
			w.send(1032)
			challenge, nonce := w.expect(1609), make([]byte, 32)
			w.send(1082, nonce, gatewayProof([32]byte{9}, "coffer gateway", challenge, nonce, nil))
		},
		"the core's own proof": func(w *wire) {
			w.send(1032)
			challenge, nonce := w.expect(1609), make([]byte, 32)
			w.send(1082, nonce, gatewayProof(coreSecret, "coffer core", challenge, nonce, nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialUnproven(t, c.internal)
			w.id = victim.id
			request(w)
			if status := w.failure(); status != protocol.StatusUnauthenticated && status != protocol.StatusConflict {
				t.Errorf("%v", status)
			}
			w.closed()
		})
	}
	for name, code := range map[string]uint16{"base request": 1025, "unknown code": 1199, "a response's code": 1610} {
		t.Run(name, func(t *testing.T) {
			w := dialUnproven(t, c.internal)
			w.send(code, field("another"))
			w.expectEmpty(1607)
			w.closed()
		})
	}
	t.Run("a header that promises gigabytes", func(t *testing.T) {
		w := dialUnproven(t, c.internal)
		w.write(w.header(1036, 1<<32-1))
		w.failure()
		w.closed()
	})
	t.Run("public listener", func(t *testing.T) {
		w := dial(t, c.public)
		w.send(1032)
		challenge, nonce := w.expect(1609), make([]byte, 32)
		w.send(1082, nonce, gatewayProof(coreSecret, "coffer gateway", challenge, nonce, nil))
		if status := w.failure(); status != protocol.StatusForbidden {
			t.Errorf("%v", status)
		}
	})
	knows := dial(t, c.internal)
	knows.send(1069)
	knows.expect(1623)
}

// The library proves itself, and distinguishes a wrong secret, and a core that
// does not know its own, from other errors.
func TestCoreSecret(t *testing.T) {
	c := startCore(t, nil)
	dial := func(secret crypt.CoreSecret) error {
		conn, err := client.Dial(t.Context(), c.internal, client.Options{Secret: &secret})
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.GetStatus(t.Context())
		return err
	}
	if err := dial(coreSecret); err != nil {
		t.Error(err)
	}
	if err := dial(crypt.CoreSecret{1}); err == nil || !errors.Is(err, client.ErrCoreSecret) {
		t.Errorf("a wrong secret: %v", err)
	}
}

// What took the core's address does not learn anything from a gateway but a
// proof, which is of no use on another connection.
func TestImpostorCore(t *testing.T) {
	l := listen(t)
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		for _, answer := range []protocol.Message{&protocol.ChallengeIssued{}, &protocol.CoreProven{}} {
			h, err := protocol.ReadRequestHeader(nc)
			if err != nil {
				return
			}
			nc.Read(make([]byte, h.Size))
			nc.Write(protocol.AppendResponse(nil, answer, 0))
		}
	}()
	_, err := client.Dial(t.Context(), l.Addr().String(), client.Options{Secret: &crypt.CoreSecret{1}})
	if err == nil || !errors.Is(err, client.ErrCoreSecret) {
		t.Errorf("an impostor: %v", err)
	}
}

// Gateways are counted, not their connections; a client that works by one is
// connected, too.
func TestGatewaysAreCounted(t *testing.T) {
	c := startCore(t, nil)
	for _, gateway := range []protocol.ClientID{{1}, {1}, {1}, {2}} {
		conn, err := client.Dial(t.Context(), c.internal, client.Options{Secret: &coreSecret, Gateway: gateway})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	w := c.proven("ada")
	w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "f"})
	if m := c.srv.Admin().Stats(t.Context()); m.Gateways != 2 || m.Connected != 1 {
		t.Errorf("%d gateways, %d clients; want 2 and 1", m.Gateways, m.Connected)
	}
	w.nc.Close() // and the upload goes on by itself
	if m := c.srv.Admin().Stats(t.Context()); m.Connected != 1 || m.Uploads != 1 {
		t.Errorf("%d clients beside %d uploads", m.Connected, m.Uploads)
	}
}

// Names that look like others are refused to new accounts, and to new files but
// those of base clients.
func TestLookalikeNames(t *testing.T) {
	c := startCore(t, nil)
	base := dial(t, c.public)
	for _, name := range []string{"ada ", "a\u200bda", "\u202eada"} {
		base.send(1025, field(name))
		base.expectEmpty(1601)
	}
	w := c.proven("ada")
	for _, name := range []string{"plan.txt ", "plan\u200b.txt", "gpj\u202e.exe", "e\u0301.txt"} {
		w.fails(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: name}, nil, protocol.StatusInvalid)
	}
	w.store("plan.txt ", content(1, 100), 100) // as a base client
	w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "plan.txt "})
}
