package server_test

import (
	"fmt"
	"testing"

	"coffer/protocol"
	"coffer/server"
)

// More senders and readers that stand still than there are buffers keep nobody
// from sending and reading.
func TestStalledPeers(t *testing.T) {
	for name, stall := range map[string]func(w *wire, large []byte){
		"in a base packet": func(w *wire, _ []byte) {
			frame := w.packetFrame("half", 1<<20, 1<<20-1, 1, 2, make([]byte, 300_000))
			w.write(frame[:len(frame)-100_000])
		},
		"in a packet of an upload": func(w *wire, _ []byte) {
			id := w.beginEmpty("half")
			m := &protocol.UploadPacket{Upload: id, Number: 1}
			w.write(append(protocol.AppendRequest(nil, w.id, m, 300_000), make([]byte, 200_000)...))
		},
		"in a request that is refused": func(w *wire, _ []byte) {
			m := &protocol.UploadPacket{Number: 1}
			w.write(append(protocol.AppendRequest(nil, w.id, m, 300_000), make([]byte, 200_000)...))
		},
		"while reading": func(w *wire, _ []byte) { w.request(&protocol.ReadFile{Name: "large"}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			c := startCore(t, func(cfg *server.Config) { cfg.MaxPerAddress, cfg.MaxPerAccount = 0, 0 })
			w := c.proven("stalled")
			large := content(9, 8<<20)
			w.store("large", large, 1<<20)
			for range 132 {
				stall(w.beside(c.public), large)
			}
			honest := c.proven("honest")
			for i := range 3 {
				file := fmt.Sprint("file ", i)
				honest.store(file, content(uint64(i), 400_000), 100_000)
				honest.expectStored(file, content(uint64(i), 400_000))
			}
		})
	}
}
