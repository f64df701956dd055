package server_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/internal/replay/exchange"
	"coffer/protocol/cksum"
)

// Recorded exchanges of deployed clients, in the format of
// docs/compatibility.md, are replayed byte by byte.
func TestExchanges(t *testing.T) {
	names, err := filepath.Glob("testdata/exchanges/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are no exchanges to replay (%v)", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			steps, err := exchange.Parse(f)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			c := startCore(t, nil)
			p := &player{t: t, core: c, w: dial(t, c.public), file: name}
			for _, s := range steps {
				p.step(s)
			}
			if p.seen == 0 {
				t.Error("it expects nothing, so it tests nothing")
			}
		})
	}
}

// docs/compatibility.md names every exchange, and none that is not there.
func TestExchangesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("testdata/exchanges/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, name := range names {
		there[filepath.Base(name)] = true
		if !bytes.Contains(text, []byte("`"+filepath.Base(name)+"`")) {
			t.Errorf("docs/compatibility.md does not name %s", name)
		}
	}
	for _, word := range strings.Split(string(text), "`") {
		if strings.HasSuffix(word, ".txt") && !strings.ContainsAny(word, " /") && !there[word] {
			t.Errorf("docs/compatibility.md names %s, which is not there", word)
		}
	}
}

// A player is the client of an exchange.
type player struct {
	t     *testing.T
	core  *core
	w     *wire
	file  string
	known bool // the client's id
	plain []byte
	seen  int // what was compared: bytes of answers, silences, what is stored
}

func (p *player) step(s exchange.Step) {
	p.t.Helper()
	fail := func(format string, args ...any) {
		p.t.Helper()
		p.t.Fatalf("%s:%d: "+format, append([]any{p.file, s.Line}, args...)...)
	}
	switch s.Verb {
	case "silence", "closed", "stored", "absent":
		p.seen++
	}
	switch s.Verb {
	case ">":
		var b []byte
		for _, item := range s.Items {
			b = append(b, p.bytes(item, fail)...)
		}
		p.w.write(b)
	case "<":
		for _, item := range s.Items {
			p.hear(item, fail)
		}
	case "plain":
		p.plain = nil
		for _, item := range s.Items {
			p.plain = append(p.plain, p.bytes(item, fail)...)
		}
	case "silence":
		p.w.silence(time.Duration(s.Items[0].Nums[0]) * time.Millisecond)
	case "half-close":
		if err := p.w.nc.(*net.TCPConn).CloseWrite(); err != nil {
			fail("%v", err)
		}
	case "closed":
		p.w.closed()
	case "stored":
		p.reader().expectStored(string(s.Items[0].Bytes), p.plain)
	case "absent":
		if n := p.reader().has(string(s.Items[0].Bytes)); n != 0 {
			fail("%d versions are stored", n)
		}
	default:
		fail("the player does not know %q", s.Verb)
	}
}

// reader is the same client on another connection, which may read back.
func (p *player) reader() *wire {
	p.t.Helper()
	client, err := p.core.catalog.Client(p.t.Context(), p.w.id)
	if err != nil {
		p.t.Fatal(err)
	}
	p.w.name = client.Name
	return p.w.beside(p.core.public)
}

// bytes are what an item stands for.
func (p *player) bytes(item exchange.Item, fail func(string, ...any)) []byte {
	p.t.Helper()
	switch item.Name {
	case "bytes":
		return item.Bytes
	case "field":
		return append(bytes.Clone(item.Bytes), make([]byte, 255-len(item.Bytes))...)
	case "zeros":
		return make([]byte, item.Nums[0])
	case "u8":
		return []byte{byte(item.Nums[0])}
	case "u16":
		return le.AppendUint16(nil, uint16(item.Nums[0]))
	case "u32":
		return le.AppendUint32(nil, uint32(item.Nums[0]))
	case "id":
		return p.w.id[:]
	case "public":
		return publicDER(p.t, item.Words[0])
	case "cksum":
		return le.AppendUint32(nil, cksum.Sum(p.plain))
	case "encrypted":
		return encrypt(p.w.key, item.Bytes)
	case "cipher":
		c := encrypt(p.w.key, p.plain)
		from, to := item.Nums[0], int64(len(c))
		if len(item.Nums) == 2 {
			to = item.Nums[1]
		}
		if from > to || to > int64(len(c)) {
			fail("the ciphertext has %d bytes", len(c))
		}
		return c[from:to]
	}
	fail("%s cannot stand here", item.Name)
	return nil
}

// hear reads what an item stands for, and compares it.
func (p *player) hear(item exchange.Item, fail func(string, ...any)) {
	p.t.Helper()
	read := func(n int) []byte {
		p.t.Helper()
		b := make([]byte, n)
		p.w.nc.SetReadDeadline(time.Now().Add(patience))
		if got, err := io.ReadFull(p.w.nc, b); err != nil {
			fail("%d of %d bytes came: %v", got, n, err)
		}
		p.seen += n
		return b
	}
	switch {
	case item.Name == "id" && !p.known:
		p.w.id, p.known = [16]byte(read(16)), true
	case item.Name == "wrapped":
		p.w.priv = privateKey(p.t, item.Words[0])
		hashes := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New}
		if p.w.hash = hashes[item.Words[1]]; p.w.hash == nil {
			fail("unknown hash %q", item.Words[1])
		}
		key, err := rsa.DecryptOAEP(p.w.hash(), nil, p.w.priv, read(p.w.priv.Size()), nil)
		if err != nil || copy(p.w.key[:], key) != len(p.w.key) {
			fail("the session key does not unwrap: %v", err)
		}
	default:
		want := p.bytes(item, fail)
		if got := read(len(want)); !bytes.Equal(got, want) {
			fail("%s: the server answered %s, not %s", item.Name, hex.EncodeToString(got), hex.EncodeToString(want))
		}
	}
}

// A real exchange that is recorded and converted can be replayed against
// another core, to the byte, although ids, session keys and ciphertext differ.
func TestRecording(t *testing.T) {
	first := startCore(t, nil)
	l := listen(t)
	var text bytes.Buffer
	r := exchange.NewRecorder(&text)
	done := make(chan error, 1)
	go func() {
		client, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		server, err := net.Dial("tcp", first.public)
		if err != nil {
			client.Close()
			done <- err
			return
		}
		exchange.Proxy(client.(*net.TCPConn), server.(*net.TCPConn), r)
		done <- r.Err()
	}()
	w := dial(t, l.Addr().String())
	w.register("recorded")
	w.sendKey(key1024)
	w.store("f", content(9, 500), 100)
	w.reconnect()
	w.store("empty", nil, 100)
	plain := content(10, 50)
	w.write(w.packetFrame("iv", 80, 50, 1, 1, append(make([]byte, 16), encrypt(w.key, plain)...)))
	w.expectFile("iv", plain)
	w.confirm("iv")
	w.write(w.packetFrame("padded", 64, 50, 1, 1, append(encrypt(w.key, plain), make([]byte, 36)...)))
	w.expectFile("padded", plain)
	w.send(1029, field("never sent"))
	w.expectEmpty(1607)
	w.nc.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	recorded, err := exchange.Parse(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var converted bytes.Buffer
	if err := exchange.Convert(&converted, recorded, privateKey(t, key1024), key1024); err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{w.id[:], encrypt(w.key, plain)[:16]} {
		if bytes.Contains(converted.Bytes(), []byte(hex.EncodeToString(secret))) {
			t.Error("the id or the ciphertext is still there as it was")
		}
	}
	converted.WriteString("stored \"f\"\n")
	steps, err := exchange.Parse(bytes.NewReader(converted.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, &converted)
	}
	second := startCore(t, nil)
	p := &player{t: t, core: second, w: dial(t, second.public), file: "converted"}
	for _, s := range steps {
		if s.Verb == "half-close" || s.Verb == "closed" {
			continue // the recorded client closed at the end; the player reads back
		}
		if s.Verb == "stored" {
			p.plain = content(9, 500)
		}
		p.step(s)
	}
	if want := 7 + 16 + 2*(7+16+128) + 4*(7+279) + 3*(7+16) + 7; p.seen < want {
		t.Errorf("%d bytes of answers were compared, of %d", p.seen, want)
	}
}
