package server_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/server"
)

// The rows of docs/protocol.md, "Errors", and what it promises.

func TestErrorsThatClose(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxPacket = 1 << 20 })
	for _, tt := range []struct {
		name    string
		version byte
		code    uint16
		size    uint32
	}{
		{"version 2", 2, 1025, 255},
		{"version 0", 0, 1025, 255},
		{"version 255", 255, 1028, 1 << 31},
		{"1025 too long", 3, 1025, 256},
		{"1025 too short", 3, 1025, 254},
		{"1025 of 4 GiB", 3, 1025, 1<<32 - 1},
		{"1026 without a key", 3, 1026, 255},
		{"1026 too long", 3, 1026, 255 + 4097},
		{"1027 empty", 3, 1027, 0},
		{"1028 too short", 3, 1028, 266},
		{"1028 over the limit", 3, 1028, 1<<20 + 1},
		{"1029 too long", 3, 1029, 300},
		{"1030 too short", 3, 1030, 1},
		{"1031 too long", 3, 1031, 1 << 20},
		{"unknown, over the limit", 3, 7, 1<<20 + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := dial(t, c.public)
			b := append(make([]byte, 16), tt.version)
			w.write(le.AppendUint32(le.AppendUint16(b, tt.code), tt.size))
			w.expectEmpty(1607)
			w.closed()
		})
	}
}

func TestErrorsThatGoOn(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("client")
	type sender func(w *wire) []byte
	frame := func(name string, original, number, total int, content []byte) sender {
		return func(w *wire) []byte { return w.packetFrame(name, len(content), original, number, total, content) }
	}
	encrypted := func(name string, original int, plain []byte) sender {
		return func(w *wire) []byte {
			return w.packetFrame(name, original, original, 1, 1, encrypt(w.key, plain)[:original-original%16+16])
		}
	}
	request := func(code uint16, payload ...[]byte) sender {
		p := bytes.Join(payload, nil)
		return func(w *wire) []byte { return append(w.header(code, len(p)), p...) }
	}
	bad := []string{"", ".", "..", "a/../b", "./a", "a/.", "/etc/passwd", `a\b`, "a\nb", "tab\t", "\x7f"}
	type row struct {
		name string
		send sender
		code uint16

		padding bool // is wrong
	}
	rows := []row{
		{"unknown code, no payload", request(1), 1607, false},
		{"unknown code", request(1500, make([]byte, 70000)), 1607, false},
		{"a response's code", request(1600, make([]byte, 16)), 1607, false},
		{"packet number 0", frame("f", 10, 0, 1, make([]byte, 16)), 1607, false},
		{"total 0", frame("f", 10, 1, 0, make([]byte, 16)), 1607, false},
		{"too little content", frame("f", 1000, 1, 1, make([]byte, 16)), 1607, false},
		{"number beyond the total", frame("f", 1000, 9, 2, make([]byte, 16)), 1607, false},
		{"bad padding", encrypted("f", 10, content(1, 16)), 1607, true},
		{"padding of another length", encrypted("f", 9, content(1, 10)), 1607, true},
		{"another key", frame("f", 10, 1, 1, encrypt([32]byte{9}, content(1, 10))), 1607, true},
		{"1029 of nothing", request(1029, field("never sent")), 1607, false},
		{"a key that is none", request(1026, field("client"), make([]byte, 162)), 1607, false},
		{"a key under another name", request(1026, field("other"), publicDER(t, key1024)), 1607, false},
		{"another key than the one on record", request(1026, field("client"), publicDER(t, key17)), 1607, false},
		{"1027 under another name", request(1027, field("other")), 1606, false},
		{"1025 taken", request(1025, field("client")), 1601, false},
		{"no NUL", request(1025, bytes.Repeat([]byte("x"), 255)), 1601, false},
	}
	for _, name := range bad {
		rows = append(rows,
			row{"1025 " + name, request(1025, field(name)), 1601, false},
			row{"1026 " + name, request(1026, field(name), publicDER(t, key1024)), 1607, false},
			row{"1027 " + name, request(1027, field(name)), 1606, false},
			row{"1028 " + name, encrypted(name, 0, nil), 1607, false},
			row{"1029 " + name, request(1029, field(name)), 1607, false},
			row{"1030 " + name, request(1030, field(name)), 1607, false},
			row{"1031 " + name, request(1031, field(name)), 1607, false})
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			w := w.another(c.public)
			if tt.padding {
				w = c.newClient("of " + tt.name) // wrong padding has the next session wait
			}
			w.t = t
			w.reconnect()
			w.write(tt.send(w))
			w.expect(tt.code)
			w.quiet()
		})
	}
	w.store("f", []byte("content"), 100) // none of it did harm
}

func TestUnknownClient(t *testing.T) {
	w := startCore(t, nil).newClient("client")
	w.id[0]++
	for _, tt := range []struct {
		code, answer uint16
		more         []byte
	}{
		{1026, 1607, publicDER(t, key1024)}, {1027, 1606, nil}, {1029, 1607, nil}, {1030, 1607, nil}, {1031, 1607, nil},
	} {
		w.send(tt.code, field("client"), tt.more)
		w.expect(tt.answer)
	}
	w.write(w.packetFrame("f", 16, 0, 1, 1, encrypt(w.key, nil)))
	w.expectEmpty(1607)
}

// A burst of packets that cannot be served gets one 1607, since clients do not
// wait between packets; whatever comes after it is served.
func TestRefusedBurst(t *testing.T) {
	c := startCore(t, nil)
	w := dial(t, c.public)
	w.register("client")
	w.priv = privateKey(t, key1024)
	plain := content(5, 900)
	w.write(bytes.Join(w.frames("f", plain, 100), nil)) // no session yet
	w.expectEmpty(1607)
	w.quiet()
	w.sendKey(key1024)
	frames := w.frames("f", plain, 100)
	for i := range frames { // the last packet first
		w.write(frames[len(frames)-1-i])
	}
	w.expectFile("f", plain)
	w.confirm("f")
}

func TestPacketZeroDropsTheUpload(t *testing.T) {
	c := startCore(t, nil)
	for _, tt := range []struct {
		name          string
		number, total int
	}{{"number 0", 0, 2}, {"total 0", 1, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			w := c.newClient(tt.name)
			plain := content(6, 500)
			frames := w.frames("f", plain, 260)
			w.write(frames[0])
			w.write(w.packetFrame("f", 1, 500, tt.number, tt.total, []byte{1}))
			w.expectEmpty(1607)
			w.another(c.public).quiet()
			if n := c.srv.Status(t.Context()).Uploads; n != 0 {
				t.Errorf("%d uploads are left", n)
			}
			w.store("f", plain, 100)
		})
	}
}

func TestPromises(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	first, second := content(7, 3000), content(8, 200_000)
	send := func(plain []byte) {
		w.write(bytes.Join(w.frames("f", plain, 70_000), nil))
		w.expectFile("f", plain)
	}
	w.store("f", first, 1000)
	w.confirm("f") // a second time, the same answer
	still := func(what string) {
		t.Helper()
		if n := w.has("f"); n != 1 {
			t.Errorf("%s: %d versions", what, n)
		}
		w.expectStored("f", first)
	}
	send(second)
	still("1603 and no 1029")
	w.send(1030, field("f"))
	w.expectID(1604)
	still("1030")
	w.send(1029, field("f"))
	w.expectEmpty(1607) // it was not received again
	send(second)
	w.send(1031, field("f"))
	w.expectID(1604)
	still("1031")
	w.send(1029, field("f"))
	w.expectEmpty(1607)
	w.write(w.packetFrame("f", 16, 10, 1, 1, make([]byte, 16)))
	w.expectEmpty(1607)
	still("bad padding")
	broken := w.beside(c.public)
	frames := broken.frames("f", second, 70_000)
	broken.write(frames[0][:len(frames[0])/2])
	eventually(t, "the packet has begun", func() bool { return c.srv.Status(t.Context()).Uploads == 1 })
	broken.nc.Close()
	eventually(t, "the server has noticed", func() bool { return c.srv.Status(t.Context()).Connections == 1 })
	still("a broken connection")
	send(second)
	w.confirm("f")
	w.expectStored("f", second)
}

// Neither plaintext nor a session key is ever on disk.
func TestNothingSecretOnDisk(t *testing.T) {
	c := startOnDisk(t, nil)
	w := c.proven("client")
	marker := []byte("MARKER-of-plaintext-0123456789")
	plain := bytes.Repeat(marker, 10_000)
	w.store("small", plain[:20_000], 1000)
	w.store("large", plain, 50_000)
	frames := w.frames("unfinished", plain, 50_000)
	w.write(bytes.Join([][]byte{frames[0], frames[3]}, nil))
	w.write(bytes.Join(w.frames("unconfirmed", plain, 40_000), nil))
	w.expectFile("unconfirmed", plain)
	search := func(when string) {
		t.Helper()
		files := 0
		err := filepath.WalkDir(c.folder(), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			for what, secret := range map[string][]byte{"plaintext": marker[:20], "the session key": w.key[:]} {
				if bytes.Contains(b, secret) {
					t.Errorf("%s: %s is in %s", when, what, filepath.Base(path))
				}
			}
			return nil
		})
		if err != nil || files == 0 {
			t.Errorf("%s: %d files, %v", when, files, err)
		}
	}
	search("running")
	c.stop()
	search("stopped")
}

func TestReconnectWithoutKey(t *testing.T) {
	w := dial(t, startCore(t, nil).public)
	w.register("client")
	w.send(1027, field("client"))
	w.expectID(1606)
}

func TestRegistrationClosed(t *testing.T) {
	w := dial(t, startCore(t, func(cfg *server.Config) { cfg.RegistrationOpen = false }).public)
	w.send(1025, field("client"))
	w.expectEmpty(1601)
}

func TestSessionEnds(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.SessionTTL = 100 * time.Millisecond })
	w := c.newClient("client")
	plain := content(9, 100)
	w.silence(250 * time.Millisecond)
	w.send(1029, field("f")) // no session is needed for it, and none comes of it
	w.expectEmpty(1607)
	w.write(w.frames("f", plain, 1000)[0])
	w.expectEmpty(1607)
	w.reconnect()
	w.store("f", plain, 1000)
}
