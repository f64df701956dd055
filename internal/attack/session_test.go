package attack

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"testing"

	"coffer/internal/stack"
	"coffer/protocol"
	"coffer/protocol/cksum"
)

// What somebody does who has read a client's id, its name and the name of a
// file from the wire or an old log, and recorded what went by, but has no key.

// stranger opens a connection under the victim's id, and with open set takes a
// session key that he cannot unwrap. It reports whether he got one.
func (v *victim) stranger(t testing.TB, addr string, open bool) (*peer, bool) {
	t.Helper()
	p := dialFrom(t, "127.0.0.2", addr)
	p.id = v.id
	if !open {
		return p, true
	}
	code, _ := p.ask(t, &protocol.Reconnect{Name: name(t, v.name)}, nil)
	return p, code == protocol.CodeReconnected
}

// versions proves that the connection is the victim's, and counts the versions
// of a file by their size.
func (v *victim) versions(t testing.TB, file string) map[uint64]int {
	t.Helper()
	_, challenge := v.ask(t, &protocol.Challenge{}, nil)
	if code, _ := v.ask(t, &protocol.Prove{Proof: v.key.Proof(challenge)}, nil); code != protocol.CodeDone {
		t.Fatalf("prove: %v", code)
	}
	code, payload := v.ask(t, &protocol.ListFiles{Limit: 1000, AllVersions: true, Only: file}, nil)
	var list protocol.FileList
	if code != protocol.CodeFileList || list.DecodePayload(payload) != nil {
		t.Fatalf("list: %v", code)
	}
	count := make(map[uint64]int)
	for _, f := range list.Files {
		count[f.OriginalSize]++
	}
	return count
}

// An answer that distinguishes valid padding from wrong one decrypts recorded
// traffic, 128 queries a byte.
func TestPaddingOracle(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "ada")
	plain := []byte("user=ada password=hunter2")
	recorded := v.encrypt(plain)
	v.backup(t, "diary.txt", plain)
	for _, open := range []bool{false, true} {
		p, _ := v.stranger(t, core.Addr, open)
		queries, learned := 0, 0
		for guess := range 256 {
			chosen := append(make([]byte, 15), byte(guess))
			code, _ := p.ask(t, packet(t, ".q", 31, 32, 1, 1), append(chosen, recorded[:16]...))
			if queries++; code == protocol.CodeFileReceived {
				learned++
			}
		}
		t.Logf("with a session of his own: %v; %d queries, %d bytes decrypted", open, queries, learned)
		if learned > 0 && !open {
			t.Error("what was recorded is decrypted")
		}
	}
	// His own key is of no use, but the session that it is for must not answer
	// for long either, and the victim notices nothing.
	v.backup(t, "diary.txt", plain)
}

// The checksum of what was recorded leaves one of 10,000 PINs.
func TestGuessTheChecksum(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "ada")
	secret := func(pin int) []byte { return fmt.Appendf(nil, "the PIN is %04d", pin) }
	recorded := v.encrypt(secret(4711))
	v.backup(t, "pin.txt", secret(4711))
	for _, open := range []bool{false, true} {
		p, _ := v.stranger(t, core.Addr, open)
		left := 10_000
		code, payload := p.ask(t, packet(t, ".q", len(secret(0)), len(recorded), 1, 1), recorded)
		if code == protocol.CodeFileReceived {
			var got protocol.FileReceived
			if err := got.DecodePayload(payload); err != nil {
				t.Fatal(err)
			}
			left = 0
			for pin := range 10_000 {
				if cksum.Sum(secret(pin)) == got.Cksum {
					left++
				}
			}
		}
		t.Logf("with a session of his own: %v; 1 query, %d of 10,000 guesses left", open, left)
		if left == 1 {
			t.Error("the PIN is found")
		}
	}
}

// Backwards, the same answers make content of the attacker's choice, some 2,000
// queries a block. A session ends at the third, for everyone who holds it.
func TestForging(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "ada")
	v.reconnect(t, core.Addr) // as a stranger would, so that the key can be tried
	queries := 0
	for alive := true; alive && queries < 64; {
		noise := make([]byte, 32)
		rand.Read(noise)
		v.ask(t, packet(t, ".q", 20, 32, 1, 1), noise)
		queries++
		plain := []byte("under the same key")
		code, _ := v.ask(t, packet(t, ".alive", len(plain), 32, 1, 1), v.encrypt(plain))
		alive = code == protocol.CodeFileReceived
		if alive {
			if code, _ := v.ask(t, &protocol.ChecksumOK{Name: name(t, ".alive")}, nil); code != protocol.CodeAcknowledged {
				t.Fatalf("confirm: %v", code)
			}
		}
	}
	t.Logf("%d queries under one key; forging a block takes some 2,000", queries)
	if queries > 5 {
		t.Errorf("the key answers %d queries", queries)
	}
}

// One random block in 256 has valid padding. Five such versions have pushed out
// everything good.
func TestDestroyingHistory(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "ada")
	good := []byte("what must not be lost, whatever happens")
	v.backup(t, "thesis.txt", good)
	queries, sessions, garbage := 0, 0, 0
	for range 3 {
		p, ok := v.stranger(t, core.Addr, true)
		if !ok {
			break
		}
		sessions++
		for range 1000 {
			block := make([]byte, 16)
			rand.Read(block)
			code, _ := p.ask(t, packet(t, "thesis.txt", 15, 16, 1, 1), block)
			if queries++; code != protocol.CodeFileReceived {
				continue
			}
			for range 5 {
				if code, _ := p.ask(t, &protocol.ChecksumOK{Name: name(t, "thesis.txt")}, nil); code == protocol.CodeAcknowledged {
					garbage++
				}
				p.ask(t, packet(t, "thesis.txt", 15, 16, 1, 1), block)
			}
			break
		}
	}
	kept := v.versions(t, "thesis.txt")[uint64(len(good))]
	t.Logf("%d sessions, %d queries, %d versions of garbage, %d of 1 good versions lost", sessions, queries, garbage, 1-kept)
	if kept != 1 {
		t.Error("the good version is lost")
	}
}

// Nothing that comes on another connection is seen by the victim's upload.
func TestDisturbing(t *testing.T) {
	core := stack.NewCore(t)
	plain := bytes.Repeat([]byte("content "), 100)
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, p *peer, other []byte)
	}{
		{"1027", func(*testing.T, *peer, []byte) {}},
		{"1031", func(t *testing.T, p *peer, _ []byte) { p.ask(t, &protocol.ChecksumGiveUp{Name: name(t, "f")}, nil) }},
		{"1029", func(t *testing.T, p *peer, _ []byte) { p.ask(t, &protocol.ChecksumOK{Name: name(t, "f")}, nil) }},
		{"packet 1", func(t *testing.T, p *peer, other []byte) { p.send(t, packet(t, "f", len(plain), 300, 1, 3), other) }},
		{"packet 3", func(t *testing.T, p *peer, other []byte) { p.send(t, packet(t, "f", len(plain), 300, 3, 3), other) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVictim(t, core.Addr, "victim of "+tt.name)
			ciphertext := v.encrypt(plain)
			parts := [][]byte{ciphertext[:300], ciphertext[300:600], ciphertext[600:]}
			disturb := func() {
				for _, open := range []bool{false, true} {
					p, _ := v.stranger(t, core.Addr, open)
					tt.do(t, p, make([]byte, 300))
					p.ask(t, &protocol.Register{}, nil) // it has been served
				}
			}
			for i, part := range parts {
				v.send(t, packet(t, "f", len(plain), len(part), uint16(i+1), 3), part)
				if i < 2 {
					disturb()
				}
			}
			code, payload, err := v.receive()
			var got protocol.FileReceived
			if err != nil || code != protocol.CodeFileReceived || got.DecodePayload(payload) != nil || got.Cksum != cksum.Sum(plain) {
				t.Fatalf("the upload ends with %v, %v", code, err)
			}
			disturb()
			if n := len(v.versions(t, "f")); n != 0 {
				t.Error("it was committed before its owner confirmed it")
			}
			if code, _ := v.ask(t, &protocol.ChecksumOK{Name: name(t, "f")}, nil); code != protocol.CodeAcknowledged {
				t.Errorf("confirm: %v", code)
			}
		})
	}
}

// Sessions taken beforehand are no stock of guesses: those of one address end
// together.
func TestGuessesInManySessions(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "ada")
	plain := []byte("sixteen bytes and some")
	sessions := make([]victim, 8)
	for i := range sessions {
		sessions[i] = *v
		sessions[i].reconnect(t, core.Addr)
	}
	answered := 0
	for i := range sessions {
		s := &sessions[i]
		original := len(plain)
		if i < 3 {
			original-- // its padding is wrong, then
		}
		ciphertext := s.encrypt(plain)
		if code, _ := s.ask(t, packet(t, "f", original, len(ciphertext), 1, 1), ciphertext); code == protocol.CodeFileReceived {
			answered++
		}
	}
	t.Logf("%d sessions, 3 guesses: %d of 5 further files were summed", len(sessions), answered)
	if answered != 0 {
		t.Error("a session outlives the guesses made in others")
	}
}

// An id alone is not answered about an upload, whether there is one or not.
func TestIDWithoutKey(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "ada")
	ciphertext := v.encrypt(make([]byte, 100))
	v.send(t, packet(t, "f", 100, 48, 1, 2), ciphertext[:48])
	for _, file := range []string{"f", "none"} {
		for _, m := range []protocol.Message{
			&protocol.ChecksumOK{Name: name(t, file)},
			&protocol.ChecksumRetry{Name: name(t, file)},
			&protocol.ChecksumGiveUp{Name: name(t, file)},
			packet(t, file, 100, 0, 1, 2),
		} {
			p := dial(t, core.Addr)
			p.id = v.id
			if code, _ := p.ask(t, m, nil); code != protocol.CodeError {
				t.Errorf("%v of %q: answered with %v, want 1607", m.Code(), file, code)
			}
		}
	}
	if code, _ := v.ask(t, packet(t, "f", 100, 64, 2, 2), ciphertext[48:]); code != protocol.CodeFileReceived {
		t.Errorf("the owner's upload ends with %v", code)
	}
}

// Whoever reads the id in 1600 is quicker with a key of his own.
func TestFirstKeyOfAnother(t *testing.T) {
	core := stack.NewCore(t)
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	owner := dial(t, core.Addr)
	_, id := owner.ask(t, &protocol.Register{Name: name(t, "ada")}, nil)
	copy(owner.id[:], id)
	p := dialFrom(t, "127.0.0.2", core.Addr)
	p.id = owner.id
	if code, _ := p.ask(t, &protocol.SendPublicKey{Name: name(t, "ada"), DER: der}, nil); code != protocol.CodeError {
		t.Errorf("a stranger's key is answered with %v", code)
	}
	if code, _ := owner.ask(t, &protocol.SendPublicKey{Name: name(t, "ada"), DER: der}, nil); code != protocol.CodeKeyReceived {
		t.Errorf("the owner's key is answered with %v", code)
	}
}
