package server_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"coffer/internal/socket"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/store"
)

var le = binary.LittleEndian

// A wire is a client that knows bytes alone, written from docs/protocol.md.
type wire struct {
	t    testing.TB
	nc   net.Conn
	id   [16]byte
	name string
	key  [32]byte
	priv *rsa.PrivateKey
	hash func() hash.Hash
}

func dial(t testing.TB, addr string) *wire {
	t.Helper()
	w := dialUnproven(t, addr)
	if _, internal := socket.Path(addr); internal {
		w.proveGateway([32]byte(coreSecret))
	}
	return w
}

// dialUnproven is dial without the proof that the internal listener asks for.
func dialUnproven(t testing.TB, addr string) *wire {
	t.Helper()
	nc, err := socket.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &wire{t: t, nc: nc, hash: sha256.New}
}

// another is the same client on one more connection.
func (w *wire) another(addr string) *wire {
	w.t.Helper()
	v := *w
	v.nc = dial(w.t, addr).nc
	return &v
}

// beside is the same client on one more connection, on which it has taken a
// session key and proven it.
func (w *wire) beside(addr string) *wire {
	w.t.Helper()
	v := w.another(addr)
	v.reconnect()
	v.prove()
	return v
}

// gateway is the same client as the gateway sees it: on the internal listener,
// by its API id, which it is given if it has none.
func (c *core) gateway(w *wire) *wire {
	w.t.Helper()
	client, err := c.catalog.ClientByAPIID(w.t.Context(), store.APIID(w.id))
	if errors.Is(err, store.ErrNoClient) {
		client, err = c.catalog.UpdateClient(w.t.Context(), store.ClientID(w.id), func(client *store.Client) error {
			if client.APIID.IsZero() {
				sum := sha256.Sum256(client.ID[:])
				client.APIID = store.APIID(sum[:16])
			}
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	v := w.another(c.internal)
	v.id = client.APIID
	return v
}

func privateKey(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".key.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s: no PEM", name)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func publicDER(t testing.TB, name string) []byte {
	t.Helper()
	der, err := os.ReadFile("testdata/" + name + ".pub.der")
	if err != nil {
		t.Fatal(err)
	}
	return der
}

const key1024, key17, key3072 = "rsa1024_e65537", "rsa1024_e17", "rsa3072_e65537"

// newClient registers name and takes a session key.
func (c *core) newClient(name string) *wire {
	c.t.Helper()
	w := dial(c.t, c.public)
	w.register(name)
	w.sendKey(key1024)
	return w
}

// proven is a new client that may use extensions.
func (c *core) proven(name string) *wire {
	c.t.Helper()
	w := c.newClient(name)
	w.prove()
	return w
}

func field(name string) []byte {
	f := make([]byte, 255)
	copy(f, name)
	return f
}

func (w *wire) write(b []byte) {
	w.t.Helper()
	w.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := w.nc.Write(b); err != nil {
		w.t.Fatalf("writing: %v", err)
	}
}

func (w *wire) header(code uint16, size int) []byte {
	b := append(append([]byte(nil), w.id[:]...), 3)
	return le.AppendUint32(le.AppendUint16(b, code), uint32(size))
}

func (w *wire) send(code uint16, payload ...[]byte) {
	w.t.Helper()
	p := bytes.Join(payload, nil)
	w.write(append(w.header(code, len(p)), p...))
}

// receive reads one response.
func (w *wire) receive() (code uint16, payload []byte, err error) {
	w.nc.SetReadDeadline(time.Now().Add(patience))
	var h [7]byte
	if _, err := io.ReadFull(w.nc, h[:]); err != nil {
		return 0, nil, err
	}
	if h[0] != 3 {
		return 0, nil, errors.New("not version 3")
	}
	payload = make([]byte, le.Uint32(h[3:]))
	_, err = io.ReadFull(w.nc, payload)
	return le.Uint16(h[1:]), payload, err
}

func (w *wire) expect(code uint16) []byte {
	w.t.Helper()
	got, payload, err := w.receive()
	if err != nil || got != code {
		w.t.Fatalf("answer is %d (%v), want %d", got, err, code)
	}
	return payload
}

// expectID expects a response that is the client's id.
func (w *wire) expectID(code uint16) {
	w.t.Helper()
	if p := w.expect(code); !bytes.Equal(p, w.id[:]) {
		w.t.Fatalf("%d: %d bytes that are not the client's id", code, len(p))
	}
}

// expectEmpty expects a response without a payload.
func (w *wire) expectEmpty(code uint16) {
	w.t.Helper()
	if p := w.expect(code); len(p) != 0 {
		w.t.Fatalf("%d has a payload of %d bytes", code, len(p))
	}
}

// quiet checks that nothing was answered so far: the answer to one more
// request, a registration of no name, is the next.
func (w *wire) quiet() {
	w.t.Helper()
	w.send(1025, field(""))
	w.expectEmpty(1601)
}

// silence checks that nothing arrives for a while.
func (w *wire) silence(d time.Duration) {
	w.t.Helper()
	w.nc.SetReadDeadline(time.Now().Add(d))
	var b [1]byte
	n, err := w.nc.Read(b[:])
	var ne net.Error
	if n != 0 || !errors.As(err, &ne) || !ne.Timeout() {
		w.t.Fatalf("something came: %d bytes, %v", n, err)
	}
}

// closed checks that the server closed the connection.
func (w *wire) closed() {
	w.t.Helper()
	w.nc.SetReadDeadline(time.Now().Add(patience))
	var b [1]byte
	n, err := w.nc.Read(b[:])
	var ne net.Error
	if n != 0 || err == nil || errors.As(err, &ne) && ne.Timeout() {
		w.t.Fatalf("the connection is open: %d bytes, %v", n, err)
	}
}

func (w *wire) register(name string) {
	w.t.Helper()
	w.send(1025, field(name))
	copy(w.id[:], w.expect(1600))
	w.name = name
}

// sendKey sends a public key and takes the session key.
func (w *wire) sendKey(key string) {
	w.t.Helper()
	der := publicDER(w.t, key)
	w.priv = privateKey(w.t, key)
	if len(der) == 160 {
		w.hash = sha1.New
	}
	w.send(1026, field(w.name), der)
	w.unwrap(w.expect(1602))
}

func (w *wire) reconnect() {
	w.t.Helper()
	w.send(1027, field(w.name))
	w.unwrap(w.expect(1605))
}

func (w *wire) unwrap(p []byte) {
	w.t.Helper()
	if len(p) < 16 || !bytes.Equal(p[:16], w.id[:]) {
		w.t.Fatal("the answer does not begin with the client's id")
	}
	w.setKey(p[16:])
}

func (w *wire) setKey(wrapped []byte) {
	w.t.Helper()
	key, err := rsa.DecryptOAEP(w.hash(), nil, w.priv, wrapped, nil)
	if err != nil || len(key) != 32 {
		w.t.Fatalf("unwrapping %d bytes: %v", len(wrapped), err)
	}
	copy(w.key[:], key)
}

func encrypt(key [32]byte, plain []byte) []byte {
	pad := 16 - len(plain)%16
	out := append(append([]byte(nil), plain...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(out, out)
	return out
}

func decrypt(t testing.TB, key [32]byte, ciphertext []byte) []byte {
	t.Helper()
	if len(ciphertext) == 0 || len(ciphertext)%16 != 0 {
		t.Fatalf("a ciphertext of %d bytes", len(ciphertext))
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(out, ciphertext)
	return out[:len(out)-int(out[len(out)-1])]
}

// content is size bytes that compress badly and are the same each time.
func content(seed uint64, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(b)
	return b
}

// packetFrame is a whole 1028.
func (w *wire) packetFrame(name string, contentSize, original, number, total int, content []byte) []byte {
	p := le.AppendUint32(nil, uint32(contentSize))
	p = le.AppendUint32(p, uint32(original))
	p = le.AppendUint16(p, uint16(number))
	p = le.AppendUint16(p, uint16(total))
	p = append(append(p, field(name)...), content...)
	return append(w.header(1028, len(p)), p...)
}

// cut cuts b into packets of size bytes.
func cut(b []byte, size int) (packets [][]byte) {
	for len(b) > size {
		packets, b = append(packets, b[:size]), b[size:]
	}
	return append(packets, b)
}

// frames are the 1028s that bring plain, packet by packet.
func (w *wire) frames(name string, plain []byte, packetSize int) (frames [][]byte) {
	c := encrypt(w.key, plain)
	packets := cut(c, packetSize)
	for i, p := range packets {
		frames = append(frames, w.packetFrame(name, len(c), len(plain), i+1, len(packets), p))
	}
	return frames
}

// expectFile expects the 1603 for plain.
func (w *wire) expectFile(name string, plain []byte) {
	w.t.Helper()
	p := w.expect(1603)
	if len(p) != 16+4+255+4 || !bytes.Equal(p[:16], w.id[:]) {
		w.t.Fatalf("1603 of %d bytes", len(p))
	}
	if got, want := le.Uint32(p[16:]), uint32(len(plain)-len(plain)%16+16); got != want {
		w.t.Errorf("content size %d, want %d", got, want)
	}
	if !bytes.Equal(p[20:275], field(name)) {
		w.t.Errorf("the file name is not echoed: %q", p[20:275])
	}
	if got, want := le.Uint32(p[275:]), cksum.Sum(plain); got != want {
		w.t.Errorf("cksum %d, want %d", got, want)
	}
}

func (w *wire) confirm(name string) {
	w.t.Helper()
	w.send(1029, field(name))
	w.expectID(1604)
}

// store sends and confirms a file.
func (w *wire) store(name string, plain []byte, packetSize int) {
	w.t.Helper()
	for _, f := range w.frames(name, plain, packetSize) {
		w.write(f)
	}
	w.expectFile(name, plain)
	w.confirm(name)
}

// leave sends a file, all of it, and does not confirm it.
func (w *wire) leave(name string, plain []byte) {
	w.t.Helper()
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 1, Name: name})
	if s := w.packet(id, 1, false, encrypt(up.key, plain)); !s.Complete {
		w.t.Fatalf("%s: %+v", name, s)
	}
}

func (w *wire) request(m protocol.Message, content []byte) {
	w.t.Helper()
	w.write(append(protocol.AppendRequest(nil, w.id, m, uint32(len(content))), content...))
}

// ask sends an extension request and decodes the answer it must get.
func (w *wire) ask(m protocol.Message, content []byte, answer protocol.Decoder) {
	w.t.Helper()
	w.request(m, content)
	code, payload, err := w.receive()
	if err != nil {
		w.t.Fatalf("%v: %v", m.Code(), err)
	}
	if code != uint16(answer.Code()) {
		var f protocol.Failure
		if code == uint16(protocol.CodeFailure) && f.DecodePayload(payload) == nil {
			w.t.Fatalf("%v: %v: %s", m.Code(), f.Status, f.Message)
		}
		w.t.Fatalf("%v: answer is %d, want %v", m.Code(), code, answer.Code())
	}
	if err := answer.DecodePayload(payload); err != nil {
		w.t.Fatalf("%v: %v", m.Code(), err)
	}
}

func (w *wire) done(m protocol.Message) {
	w.t.Helper()
	w.ask(m, nil, &protocol.Done{})
}

// fails sends an extension request that must fail so; a person must be able to
// read why.
func (w *wire) fails(m protocol.Message, content []byte, status protocol.Status) string {
	w.t.Helper()
	var f protocol.Failure
	w.ask(m, content, &f)
	if f.Status != status || f.Message == "" {
		w.t.Fatalf("%v: %v %q, want %v", m.Code(), f.Status, f.Message, status)
	}
	return f.Message
}

func (w *wire) prove() {
	w.t.Helper()
	var issued protocol.ChallengeIssued
	w.ask(&protocol.Challenge{}, nil, &issued)
	w.done(&protocol.Prove{Proof: proofOf(w.key, issued.Challenge[:])})
}

func proofOf(key [32]byte, challenge []byte) [32]byte { return crypt.SessionKey(key).Proof(challenge) }

// fetch reads back a version through the wire; 0 is the newest.
func (w *wire) fetch(name string, version uint32) []byte {
	w.t.Helper()
	var info protocol.FileInfo
	w.ask(&protocol.GetFile{Name: name, Version: version}, nil, &info)
	v := *w
	v.setKey(info.WrappedKey)
	return decrypt(w.t, v.key, w.read(name, info.Version, 0, 0))
}

// read reads a range of a version's ciphertext.
func (w *wire) read(name string, version uint32, offset uint64, length uint32) []byte {
	w.t.Helper()
	w.request(&protocol.ReadFile{Name: name, Version: version, Offset: offset, Length: length}, nil)
	p := w.expect(uint16(protocol.CodeFileContent))
	var head protocol.FileContent
	if err := head.DecodePayload(p[:20]); err != nil || head.Offset != offset {
		w.t.Fatalf("file content: %v, offset %d", err, head.Offset)
	}
	return p[20:]
}

func (w *wire) expectStored(name string, plain []byte) {
	w.t.Helper()
	if !bytes.Equal(w.fetch(name, 0), plain) {
		w.t.Errorf("%s is not what was stored", name)
	}
}

// list is what the client has, without the contents.
func (w *wire) list(m *protocol.ListFiles) protocol.FileList {
	w.t.Helper()
	var l protocol.FileList
	w.ask(m, nil, &l)
	return l
}

// has reports the number of versions of a file.
func (w *wire) has(name string) int {
	w.t.Helper()
	return len(w.list(&protocol.ListFiles{Limit: 1000, Only: name}).Files)
}

func listAll() *protocol.ListFiles { return &protocol.ListFiles{Limit: 1000} }
