package attack

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// A peer speaks the wire protocol on one connection, byte by byte, and keeps
// none of its rules unless a test makes it.
type peer struct {
	nc  net.Conn
	in  *bufio.Reader
	id  protocol.ClientID // in the headers it sends
	key crypt.SessionKey  // the last one it could unwrap
}

// dial connects to a core.
func dial(t testing.TB, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &peer{nc: nc, in: bufio.NewReader(nc)}
}

// send sends a request, with content behind its message.
func (p *peer) send(t testing.TB, m protocol.Message, content []byte) {
	t.Helper()
	b := protocol.AppendRequest(nil, p.id, m, uint32(len(content)))
	p.nc.SetWriteDeadline(time.Now().Add(stack.Patience))
	if _, err := p.nc.Write(append(b, content...)); err != nil {
		t.Fatalf("send %v: %v", m.Code(), err)
	}
}

// receive reads a response. The error is what ended the connection.
func (p *peer) receive() (protocol.Code, []byte, error) {
	p.nc.SetReadDeadline(time.Now().Add(stack.Patience))
	h, err := protocol.ReadResponseHeader(p.in)
	if err != nil {
		return 0, nil, err
	}
	payload := make([]byte, h.Size)
	_, err = io.ReadFull(p.in, payload)
	return h.Code, payload, err
}

// ask sends a request and returns the response to it, code 0 if the core
// closed the connection.
func (p *peer) ask(t testing.TB, m protocol.Message, content []byte) (protocol.Code, []byte) {
	t.Helper()
	p.send(t, m, content)
	code, payload, err := p.receive()
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return 0, nil
	}
	if err != nil {
		t.Fatalf("after %v: %v", m.Code(), err)
	}
	return code, payload
}

// name makes a name field.
func name(t testing.TB, text string) protocol.Field {
	t.Helper()
	f, err := protocol.NewField(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A victim is a deployed base client: it registers, sends its key, and sends
// files unsealed.
type victim struct {
	*peer
	name    string
	private *rsa.PrivateKey
}

// newVictim registers a base client and takes its first session key.
func newVictim(t testing.TB, addr, text string) *victim {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{peer: dial(t, addr), name: text, private: private}
	code, payload := v.ask(t, &protocol.Register{Name: name(t, text)}, nil)
	if code != protocol.CodeRegistered {
		t.Fatalf("register: %v", code)
	}
	copy(v.id[:], payload)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	code, payload = v.ask(t, &protocol.SendPublicKey{Name: name(t, text), DER: der}, nil)
	if code != protocol.CodeKeyReceived {
		t.Fatalf("send the public key: %v", code)
	}
	v.unwrap(t, payload[len(v.id):])
	return v
}

// reconnect takes a new session key on a new connection.
func (v *victim) reconnect(t testing.TB, addr string) {
	t.Helper()
	id := v.id
	v.peer = dial(t, addr)
	v.id = id
	code, payload := v.ask(t, &protocol.Reconnect{Name: name(t, v.name)}, nil)
	if code != protocol.CodeReconnected {
		t.Fatalf("reconnect: %v", code)
	}
	v.unwrap(t, payload[len(v.id):])
}

func (v *victim) unwrap(t testing.TB, wrapped []byte) {
	t.Helper()
	key, err := crypt.Unwrap(v.private, crypt.SHA256, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	v.key = key
}

// encrypt encrypts content under the victim's session key.
func (v *victim) encrypt(plain []byte) []byte {
	enc := crypt.NewEncrypter(v.key)
	return enc.Finish(enc.Append(nil, plain))
}

// packet is the message of one packet.
func packet(t testing.TB, file string, original, content int, number, total uint16) *protocol.SendFile {
	t.Helper()
	return &protocol.SendFile{ContentSize: uint32(content), OriginalSize: uint32(original), Number: number, Total: total, Name: name(t, file)}
}

// backup sends a file as one packet, and confirms it.
func (v *victim) backup(t testing.TB, file string, plain []byte) {
	t.Helper()
	ciphertext := v.encrypt(plain)
	code, payload := v.ask(t, packet(t, file, len(plain), len(ciphertext), 1, 1), ciphertext)
	if code != protocol.CodeFileReceived {
		t.Fatalf("send %s: %v", file, code)
	}
	var got protocol.FileReceived
	if err := got.DecodePayload(payload); err != nil {
		t.Fatal(err)
	}
	if want := cksum.Sum(plain); got.Cksum != want {
		t.Fatalf("send %s: cksum %d, want %d", file, got.Cksum, want)
	}
	if code, _ := v.ask(t, &protocol.ChecksumOK{Name: name(t, file)}, nil); code != protocol.CodeAcknowledged {
		t.Fatalf("confirm %s: %v", file, code)
	}
}
