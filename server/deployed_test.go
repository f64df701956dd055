package server_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"testing"
	"time"

	"coffer/server"
)

// The rows of docs/protocol.md, "Deployed clients".

func TestDeployedOAEP(t *testing.T) {
	for _, tt := range []struct {
		name, setting, key string
		hash               func() hash.Hash
	}{
		{"auto, 160 bytes", "auto", key17, sha1.New},
		{"auto, 162 bytes", "auto", key1024, sha256.New},
		{"auto, larger", "auto", key3072, sha256.New},
		{"forced SHA-1", "sha1", key1024, sha1.New},
		{"forced SHA-256", "sha256", key17, sha256.New},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startCore(t, func(cfg *server.Config) { cfg.OAEPHash = tt.setting })
			w := dial(t, c.public)
			w.register("somebody")
			w.priv, w.hash = privateKey(t, tt.key), tt.hash
			w.send(1026, field("somebody"), publicDER(t, tt.key))
			w.unwrap(w.expect(1602))
			first := w.key
			w.reconnect()
			if w.key == first {
				t.Error("reconnecting gave the same session key")
			}
			w.store("a file", []byte("content"), 100)
		})
	}
}

func TestDeployedKeyField(t *testing.T) {
	c := startCore(t, nil)
	for _, tt := range []struct{ name, behind string }{
		{"zeros", "\x00\x00"}, {"garbage", "\xcc\x30"}, {"exact", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := dial(t, c.public)
			w.register(tt.name)
			w.priv, w.hash = privateKey(t, key17), sha1.New
			w.send(1026, field(tt.name), publicDER(t, key17), []byte(tt.behind))
			w.unwrap(w.expect(1602))
			w.store("a file", []byte("content"), 100)
		})
	}
}

func TestDeployedPackets(t *testing.T) {
	plain := content(1, 3*1024-16) // ciphertext of exactly three packets
	const size = 1024
	type frameMaker func(w *wire, c []byte, packets [][]byte) [][]byte
	each := func(contentSize func(c, packet []byte) int, original, total int) frameMaker {
		return func(w *wire, c []byte, packets [][]byte) (frames [][]byte) {
			for i, p := range packets {
				frames = append(frames, w.packetFrame("f", contentSize(c, p), original, i+1, total, p))
			}
			return frames
		}
	}
	whole := func(c, _ []byte) int { return len(c) }
	own := func(_, p []byte) int { return len(p) }
	for _, tt := range []struct {
		name  string
		plain []byte
		make  frameMaker
	}{
		{"content size of the whole", plain, each(whole, len(plain), 3)},
		{"content size of the packet", plain, each(own, len(plain), 3)},
		{"content size nonsense", plain, each(func(_, _ []byte) int { return 1<<32 - 1 }, len(plain), 3)},
		{"last packet zero-padded", plain[:2500], func(w *wire, c []byte, packets [][]byte) (frames [][]byte) {
			last := len(packets) - 1
			packets[last] = append(bytes.Clone(packets[last]), make([]byte, size-len(packets[last]))...)
			return each(own, 2500, 3)(w, c, packets)
		}},
		{"empty last packet", plain, func(w *wire, c []byte, packets [][]byte) [][]byte {
			return each(own, len(plain), 4)(w, c, append(packets, nil))
		}},
		{"one packet more than announced, empty", plain, func(w *wire, c []byte, packets [][]byte) [][]byte {
			return each(own, len(plain), 3)(w, c, append(packets, nil))
		}},
		{"one packet more than announced, zeros", plain, func(w *wire, c []byte, packets [][]byte) [][]byte {
			return each(own, len(plain), 3)(w, c, append(packets, make([]byte, size)))
		}},
		{"one packet more than announced, with the padding", plain, func(w *wire, c []byte, _ [][]byte) [][]byte {
			packets := [][]byte{c[:1024], c[1024:2048], c[2048 : 3072-16], c[3072-16:]}
			return each(own, len(plain), 3)(w, c, packets)
		}},
		{"empty file", nil, each(own, 0, 1)},
		{"IV in one packet", plain[:100], func(w *wire, c []byte, _ [][]byte) [][]byte {
			return each(own, 100, 1)(w, c, [][]byte{append(make([]byte, 16), c...)})
		}},
		{"IV in several packets", plain, func(w *wire, c []byte, _ [][]byte) [][]byte {
			packets := cut(append(make([]byte, 16), c...), size)
			return each(own, len(plain), len(packets))(w, c, packets)
		}},
		{"IV cut inside", plain[:100], func(w *wire, c []byte, _ [][]byte) [][]byte {
			packets := cut(append(make([]byte, 16), c...), 5)
			return each(own, 100, len(packets))(w, c, packets)
		}},
		{"IV alone in its packet", plain[:100], func(w *wire, c []byte, _ [][]byte) [][]byte {
			return each(own, 100, 2)(w, c, [][]byte{make([]byte, 16), c})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := startCore(t, nil).proven("client")
			c := encrypt(w.key, tt.plain)
			w.write(bytes.Join(tt.make(w, c, cut(c, size)), nil))
			w.expectFile("f", tt.plain)
			w.quiet()
			w.confirm("f")
			w.quiet()
			w.expectStored("f", tt.plain)
		})
	}
}

func TestDeployedWaitingAfter1030(t *testing.T) {
	plain := content(2, 5000)
	send := func(w *wire) {
		w.write(bytes.Join(w.frames("f", plain, 1000), nil))
		w.expectFile("f", plain)
	}
	t.Run("silent", func(t *testing.T) {
		w := startCore(t, nil).newClient("client")
		send(w)
		w.send(1030, field("f"))
		w.expectID(1604)
		send(w)
		w.confirm("f")
	})
	t.Run("straight on", func(t *testing.T) {
		c := startCore(t, func(cfg *server.Config) { cfg.RetryAckAfter = 10 * time.Second })
		w := c.newClient("client")
		send(w)
		for range 3 {
			w.write(append(append(w.header(1030, 255), field("f")...), bytes.Join(w.frames("f", plain, 1000), nil)...))
			w.expectFile("f", plain) // and no 1604 before it
		}
		w.quiet()
		w.send(1031, field("f"))
		w.expectID(1604)
		w.send(1029, field("f"))
		w.expectEmpty(1607)
	})
	t.Run("straight on, slowly", func(t *testing.T) {
		// Once the next request has begun, its slowness is no silence.
		w := startCore(t, nil).newClient("client")
		send(w)
		frames := bytes.Join(w.frames("f", plain, 1000), nil)
		w.write(append(append(w.header(1030, 255), field("f")...), frames[:10]...))
		w.silence(150 * time.Millisecond)
		w.write(frames[10:])
		w.expectFile("f", plain)
		w.quiet()
	})
}

func TestDeployedConnectionStaysOpen(t *testing.T) {
	c := startCore(t, nil)
	c.newClient("taken")
	w := dial(t, c.public)
	w.send(1025, field("taken"))
	w.expectEmpty(1601)
	w.send(1025, field("taken"))
	w.expectEmpty(1601)
	w.id = [16]byte{1, 2, 3}
	w.send(1027, field("nobody"))
	w.expectID(1606)
	w.send(1028, make([]byte, 267))
	w.expectEmpty(1607)
	w.send(1029, field("f"))
	w.expectEmpty(1607)
	w.register("free")
	w.sendKey(key1024)
	w.store("f", []byte("content"), 100)
}

func TestDeployedOneWritePerResponse(t *testing.T) {
	c := startCore(t, nil)
	w := dial(t, c.public)
	single := func(what string, do func()) {
		t.Helper()
		before := c.writes.Load()
		do()
		if n := c.writes.Load() - before; n != 1 {
			t.Errorf("%s left in %d writes", what, n)
		}
	}
	single("1600", func() { w.register("client") })
	single("1601", func() { w.quiet() })
	single("1602", func() { w.sendKey(key3072) })
	single("1605", func() { w.reconnect() })
	plain := content(3, 2000)
	frames := bytes.Join(w.frames("f", plain, 500), nil)
	single("1603", func() { w.write(frames); w.expectFile("f", plain) })
	single("1604", func() { w.confirm("f") })
	single("1607", func() { w.send(1029, field("other")); w.expectEmpty(1607) })
	w.prove()
	single("1616", func() { w.ask1616("f") })
	single("1617", func() { w.read("f", 0, 0, 0) })
}

func (w *wire) ask1616(name string) {
	w.t.Helper()
	w.send(1042, make([]byte, 4), le.AppendUint16(nil, uint16(len(name))), []byte(name))
	w.expect(1616)
}

func TestDeployedNames(t *testing.T) {
	c := startCore(t, nil)
	for i, tt := range []struct{ sent, stored string }{
		{string(bytes.Repeat([]byte("n"), 254)), string(bytes.Repeat([]byte("n"), 254))},
		{"with a few spaces.txt", "with a few spaces.txt"},
		{"שלום עולם.doc", "שלום עולם.doc"},
		{"déjà vu", "déjà vu"},
		{"d\xe9j\xe0 vu (1252)", "déjà vu (1252)"},
		{"\x80uro", "€uro"},
		{"folder/in it", "folder/in it"},
		{"e\u0301clair, as macOS has it", "e\u0301clair, as macOS has it"},
		{"\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd, pointed", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd, pointed"}, // not in Unicode's order
		{"\ufb2a, a presentation form", "\ufb2a, a presentation form"},                                                 // never NFC
	} {
		t.Run(tt.stored[:min(20, len(tt.stored))], func(t *testing.T) {
			w := dial(t, c.public)
			w.register(tt.sent)
			w.sendKey(key1024)
			w.reconnect()
			w.prove()
			plain := content(uint64(i), 300)
			w.store(tt.sent, plain, 100) // checks that the raw bytes are echoed
			if got := w.list(listAll()).Files; len(got) != 1 || got[0].Name != tt.stored {
				t.Errorf("listed: %+v", got)
			}
			w.expectStored(tt.stored, plain)
		})
	}
	t.Run("what stands behind the NUL comes back too", func(t *testing.T) {
		w := c.newClient("garbage")
		f := w.packetFrame("f", 16, 0, 1, 1, encrypt(w.key, nil))
		copy(f[23+12+100:], "left over")
		w.write(f)
		if p := w.expect(1603); !bytes.Equal(p[20:275], f[35:290]) {
			t.Errorf("echo: %q", p[20:275])
		}
	})
}

func TestDeployedDialect(t *testing.T) {
	w := dial(t, startCore(t, nil).public)
	w.send(825, field("sister"))
	copy(w.id[:], w.expect(1600))
	w.name, w.priv = "sister", privateKey(t, key1024)
	w.send(826, field("sister"), publicDER(t, key1024))
	w.unwrap(w.expect(1602))
	w.send(827, field("sister"))
	w.unwrap(w.expect(1605))
	plain := content(4, 700)
	send := func() {
		for _, f := range w.frames("f", plain, 300) {
			le.PutUint16(f[17:], 828)
			w.write(f)
		}
		w.expectFile("f", plain)
	}
	send()
	w.send(901, field("f"))
	w.expectID(1604)
	send()
	w.send(902, field("f"))
	w.expectID(1604)
	send()
	w.send(900, field("f"))
	w.expectID(1604)
}
