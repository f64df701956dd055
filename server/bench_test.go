package server_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"coffer/protocol"
	"coffer/server"
)

// quietly is a core that logs nothing, and lets one client do what the
// benchmark does.
func quietly(cfg *server.Config) { cfg.Log = slog.New(slog.DiscardHandler) }

// BenchmarkBaseFile stores a small file as a deployed client does: a packet and
// its confirmation.
func BenchmarkBaseFile(b *testing.B) {
	c := startCore(b, quietly)
	w := c.newClient("client")
	plain := content(1, 16<<10)
	b.SetBytes(int64(len(plain)))
	for n := 0; b.Loop(); n++ {
		w.store(fmt.Sprint("file ", n), plain, 1<<20)
	}
}

// BenchmarkUpload brings a file of 32 MiB in packets of 1 MiB.
func BenchmarkUpload(b *testing.B) {
	for _, tt := range []struct {
		name     string
		conns    int
		reversed bool
	}{{"in order", 1, false}, {"backwards", 1, true}, {"over 4 connections", 4, false}} {
		b.Run(tt.name, func(b *testing.B) {
			c := startCore(b, quietly)
			w := c.proven("client")
			conns := make([]*wire, tt.conns)
			for i := range conns {
				conns[i] = c.gateway(w)
			}
			plain := content(2, 32<<20-1)
			b.SetBytes(32 << 20)
			for b.Loop() {
				b.StopTimer()
				id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: "file"})
				packets := cut(encrypt(up.key, plain), 1<<20)
				order := make([]int, len(packets))
				for i := range order {
					order[i] = i
				}
				if tt.reversed {
					slices.Reverse(order)
				}
				b.StartTimer()
				work := make(chan int)
				var sending sync.WaitGroup
				for _, v := range conns {
					sending.Go(func() {
						for n := range work {
							v.packet(id, n+1, n == len(packets)-1, packets[n])
						}
					})
				}
				for _, n := range order {
					work <- n
				}
				close(work)
				sending.Wait()
				b.StopTimer()
				w.done(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}})
				b.StartTimer()
			}
		})
	}
}
