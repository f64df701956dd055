package server_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/protocol"
	"coffer/server"
)

// Packets in any order; and where a session belongs to the client and not to
// its connection, over any of those.

// anyConnection is the setting for that.
func anyConnection(cfg *server.Config) { cfg.BaseSessions = server.PerClient }

func TestOrder(t *testing.T) {
	c := startCore(t, anyConnection)
	shuffle := func(f [][]byte) {
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(f), func(i, j int) { f[i], f[j] = f[j], f[i] })
	}
	for i, tt := range []struct {
		name         string
		size, packet int
		conns        int
		order        func([][]byte)
	}{
		{"in order", 10_000, 999, 1, func([][]byte) {}},
		{"reverse", 10_000, 999, 1, slices.Reverse[[][]byte]},
		{"shuffled", 300_000, 7001, 1, shuffle},
		{"reverse over two", 100_000, 9000, 2, slices.Reverse[[][]byte]},
		{"shuffled over four", 1 << 20, 30_000, 4, shuffle},
		{"one byte each", 90, 1, 1, shuffle},
		{"multiple of the packet", 16*1024 - 16, 1024, 2, shuffle},
		{"larger than a piece", 1 << 20, 400_000, 3, slices.Reverse[[][]byte]},
		{"exactly a small blob", 64<<10 - 1, 64 << 10, 1, func([][]byte) {}},
		{"just above a small blob", 64 << 10, 10_000, 1, func([][]byte) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := c.proven(tt.name)
			w.t = t
			plain := content(uint64(i), tt.size)
			frames := w.frames("f", plain, tt.packet)
			tt.order(frames)
			conns := []*wire{w}
			for len(conns) < tt.conns {
				conns = append(conns, w.another(c.public))
			}
			last := len(frames) - 1
			for i, f := range frames[:last] {
				conns[i%tt.conns].write(f)
			}
			// The others have been served when they answer; then the last
			// packet's connection gets the 1603.
			for _, v := range conns {
				v.quiet()
			}
			w.write(frames[last])
			w.expectFile("f", plain)
			w.confirm("f")
			w.expectStored("f", plain)
		})
	}
}

func TestOrderStartsOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(w *wire, frames [][]byte) // sent before the file
		plain  int
	}{
		{"duplicates", func(w *wire, f [][]byte) { w.write(bytes.Join([][]byte{f[0], f[1], f[1], f[3], f[3]}, nil)) }, 5000},
		{"packet 1 again", func(w *wire, f [][]byte) { w.write(bytes.Join([][]byte{f[0], f[1], f[0], f[2]}, nil)) }, 5000},
		{"new session key", func(w *wire, f [][]byte) { w.write(f[0]); w.write(f[1]); w.reconnect() }, 5000},
		{"new session key, all but one waiting", func(w *wire, f [][]byte) { w.write(bytes.Join(f[1:], nil)); w.reconnect() }, 5000},
		{"changed sizes", func(w *wire, f [][]byte) {
			w.write(w.packetFrame("f", 0, 777, 1, 9, []byte("of another file")))
			w.write(w.packetFrame("f", 0, 777, 2, 9, []byte("of another file")))
		}, 5000},
		{"complete and sent again", func(w *wire, f [][]byte) {
			w.write(bytes.Join(f, nil))
			w.expect(1603)
		}, 5000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := startCore(t, nil).proven("client")
			plain := content(20, tt.plain)
			tt.before(w, w.frames("f", plain, 1000))
			w.store("f", plain, 1000)
			w.expectStored("f", plain)
		})
	}
}

// A connection that hangs in the middle of a packet does not stop another that
// brings the same packet.
func TestOrderSteal(t *testing.T) {
	c := startCore(t, anyConnection)
	for _, size := range []int{3000, 500_000} {
		for number := range 3 {
			t.Run(fmt.Sprintf("%d bytes, packet %d", size, number+1), func(t *testing.T) {
				w := c.proven(t.Name())
				plain := content(30, size)
				frames := w.frames("f", plain, size/3+20)
				hanging := w.another(c.public)
				sent := c.srv.Status(t.Context()).BytesReceived + uint64(len(bytes.Join(frames[:number+1], nil))-5)
				for _, f := range frames[:number] {
					hanging.write(f)
				}
				hanging.write(frames[number][:len(frames[number])-5])
				eventually(t, "the server has it all", func() bool { return c.srv.Status(t.Context()).BytesReceived >= sent })
				w.write(bytes.Join(frames[number:], nil))
				w.expectFile("f", plain)
				w.confirm("f")
				hanging.write(frames[number][len(frames[number])-5:])
				hanging.quiet()
				w.expectStored("f", plain)
			})
		}
	}
}

// A cut connection costs the packet that it was in the middle of, no more.
func TestOrderResume(t *testing.T) {
	c := startCore(t, anyConnection)
	for i, tt := range []struct{ size, packet int }{{3000, 700}, {450_000, 150_000}, {450_000, 40_000}} {
		t.Run(fmt.Sprintf("%d in %d", tt.size, tt.packet), func(t *testing.T) {
			w := c.proven(fmt.Sprint("client", i))
			plain := content(40, tt.size)
			for _, f := range w.frames("f", plain, tt.packet) {
				for _, part := range []int{300, len(f) * 2 / 3} {
					broken := w.another(c.public)
					before := c.srv.Status(t.Context()).BytesReceived
					broken.write(f[:part])
					eventually(t, "it has arrived", func() bool {
						return c.srv.Status(t.Context()).BytesReceived >= before+uint64(part)
					})
					broken.nc.Close()
					eventually(t, "the server has noticed", func() bool { return c.srv.Status(t.Context()).Connections == uint32(i+1) })
				}
				w.write(f)
			}
			w.expectFile("f", plain)
			w.confirm("f")
			w.expectStored("f", plain)
		})
	}
}

// If two connections send the same first packet in the same instant, the later
// one starts the file over: neither is refused, and one at least learns that
// the file is there.
func TestTwins(t *testing.T) {
	c := startCore(t, anyConnection)
	w := c.proven("client")
	other := w.beside(c.public)
	w.key = other.key
	last := uint64(0)
	// Where the later one starts a file over that was complete, its checksum was
	// never confirmed; the third of these would end the session.
	for round, unconfirmed := 0, 0; round < 200 && unconfirmed < 2; round++ {
		last = uint64(round)
		plain := content(last, 100_000)
		frame := w.frames("f", plain, 1<<20)[0]
		var both sync.WaitGroup
		var files, others atomic.Int32
		for _, v := range []*wire{w, other} {
			both.Go(func() {
				v.write(frame)
				v.request(&protocol.GetAccount{}, nil)
				for {
					code, _, err := v.receive()
					switch {
					case err != nil:
						t.Error(err)
						return
					case code == uint16(protocol.CodeAccountInfo):
						return
					case code == uint16(protocol.CodeFileReceived):
						files.Add(1)
					default:
						others.Add(1)
					}
				}
			})
		}
		both.Wait()
		if files.Load() == 0 || others.Load() > 0 {
			t.Fatalf("round %d: %d told that the file is there, %d other answers", round, files.Load(), others.Load())
		}
		if files.Load() == 2 {
			unconfirmed++
		}
		w.confirm("f")
	}
	w.expectStored("f", content(last, 100_000))
}
