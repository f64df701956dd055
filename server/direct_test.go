package server_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"coffer/protocol"
	"coffer/protocol/cksum"
)

// Packets of extension uploads that come before their turn, most of which are
// written to where they belong at once.

// cutAs cuts b into packets of these sizes, the last size over and over.
func cutAs(b []byte, sizes ...int) (packets [][]byte) {
	for i := 0; len(b) > 0; i++ {
		n := min(sizes[min(i, len(sizes)-1)], len(b))
		packets = append(packets, b[:n])
		b = b[n:]
	}
	return packets
}

func TestPlaces(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	shuffled := func(n int) []int { return rand.New(rand.NewPCG(3, 4)).Perm(n) }
	backwards := func(n int) (order []int) {
		for i := n - 1; i >= 0; i-- {
			order = append(order, i)
		}
		return order
	}
	lastFirst := func(n int) []int { return append([]int{n - 1}, shuffled(n-1)...) }
	for i, tt := range []struct {
		name  string
		sizes []int
		order func(n int) []int
		known bool // sizes are given at the beginning
	}{
		{"alike, shuffled", []int{50_000}, shuffled, false},
		{"alike, shuffled, known", []int{50_000}, shuffled, true},
		{"alike, backwards", []int{300_000}, backwards, true},
		{"alike, last first", []int{70_001}, lastFirst, false},
		{"first is small", []int{1000, 60_000}, backwards, true},
		{"first is large", []int{200_000, 50_000}, backwards, false},
		{"one is small", []int{50_000, 50_000, 49_999, 50_000}, shuffled, true},
		{"one is large", []int{50_000, 50_000, 50_001, 50_000}, shuffled, false},
		{"each is another", []int{1, 90_000, 2, 80_000, 3, 70_000, 40_000, 50_000, 60_000}, shuffled, true},
		{"each is another, backwards", []int{90_000, 5, 80_000, 100_000, 70_000, 20_000}, backwards, false},
	} {
		for _, conns := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d connections", tt.name, conns), func(t *testing.T) {
				plain := content(uint64(70+i), 1_000_000)
				m := &protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: tt.name}
				if tt.known {
					m.OriginalSize = uint64(len(plain))
				}
				id, up := w.begin(m)
				packets := cutAs(encrypt(up.key, plain), tt.sizes...)
				work := make(chan int)
				var sending sync.WaitGroup
				for range conns {
					v := c.gateway(w)
					sending.Go(func() {
						for n := range work {
							v.packet(id, n+1, n == len(packets)-1, packets[n])
						}
					})
				}
				for _, n := range tt.order(len(packets)) {
					work <- n
				}
				close(work)
				sending.Wait()
				w.confirmUpload(id, plain)
				w.expectStored(tt.name, plain)
			})
		}
	}
}

// confirmUpload verifies a complete upload, which commits it.
func (w *wire) confirmUpload(id protocol.UploadID, plain []byte) {
	w.t.Helper()
	ref := protocol.UploadRef{ByID: true, Upload: id}
	var s protocol.UploadState
	w.ask(&protocol.GetUpload{Ref: ref}, nil, &s)
	if !s.Complete || s.Cksum != cksum.Sum(plain) {
		w.t.Fatalf("state: %+v", s)
	}
	var r protocol.VerifyResult
	w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: s.Cksum}, nil, &r)
	if !r.Verified {
		w.t.Fatalf("verified: %+v", r)
	}
}

// What a late twin of a packet brings, right or wrong, never reaches a content
// that is in order, let alone a blob.
func TestPlacesOfTwins(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(90, 400_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 4, Name: "f"})
	packets := cutAs(encrypt(up.key, plain), 100_010)
	garbage := content(91, 100_010)
	send := func(tr protocol.TransferID, from int) {
		w.ask(&protocol.PacketPiece{Transfer: tr, Offset: uint32(from)}, garbage[from:from+10_000], new(protocol.Done))
	}
	third := w.open(id, 3, false, len(packets[2]))
	send(third, 0) // to its place
	w.packet(id, 2, false, packets[1])
	again := w.open(id, 2, false, len(packets[1])) // not needed
	send(again, 0)
	w.packet(id, 1, false, packets[0])
	send(third, 10_000)
	w.packet(id, 3, false, packets[2]) // it is its turn, while the other is at its place
	send(third, 20_000)
	fourth := w.open(id, 4, false, len(packets[3]))
	w.piece(fourth, packets[3], 0, 1000)
	w.packet(id, 4, false, packets[3])
	send(third, 30_000)
	w.ask(&protocol.PacketPiece{Transfer: fourth, Offset: 1000}, garbage[:5000], new(protocol.Done))
	w.confirmUpload(id, plain)
	w.ask(&protocol.PacketPiece{Transfer: again, Offset: 10_000}, garbage[:5000], new(protocol.Done))
	w.expectStored("f", plain)
}

// One packet that is larger than others waits until nobody writes in its way.
func TestPlacesInTheWay(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(92, 500_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: "f"})
	packets := cutAs(encrypt(up.key, plain), 50_000, 150_000, 50_000)
	last := len(packets) - 1
	w.packet(id, 1, false, packets[0])
	slow := w.open(id, 4, false, len(packets[3]))
	w.piece(slow, packets[3], 0, 20_000)
	w.packet(id, 5, false, packets[4])
	w.packet(id, 2, false, packets[1]) // larger, and its turn
	w.packet(id, 3, false, packets[2])
	var s protocol.UploadState
	w.ask(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}}, nil, &s)
	if s.Received != 4 || s.Bytes != 50_000 {
		t.Errorf("state: %+v", s)
	}
	w.piece(slow, packets[3], 20_000, len(packets[3]))
	for n := 5; n <= last; n++ {
		w.packet(id, n+1, n == last, packets[n])
	}
	w.confirmUpload(id, plain)
	w.expectStored("f", plain)

	// The same, but for the slow one, which is given up.
	id, up = w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: "f"})
	packets = cutAs(encrypt(up.key, plain), 50_000, 150_000, 50_000)
	w.packet(id, 1, false, packets[0])
	slow = w.open(id, 4, false, len(packets[3]))
	w.piece(slow, packets[3], 0, 20_000)
	w.packet(id, 2, false, packets[1])
	w.done(&protocol.DropPacket{Transfer: slow})
	w.ask(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}}, nil, &s)
	if s.Bytes != 200_000 {
		t.Errorf("state after it was given up: %+v", s)
	}
	for n := 2; n <= last; n++ {
		w.packet(id, n+1, n == last, packets[n])
	}
	w.confirmUpload(id, plain)
	w.expectStored("f", plain)
}

// Places outlive the process like other packets that wait.
func TestPlacesOverARestart(t *testing.T) {
	for _, sizes := range [][]int{{80_000}, {80_000, 80_000, 80_000, 100_000, 10_000}} {
		c := startCore(t, nil)
		w := c.proven("client")
		plain := content(93, 800_000)
		id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: "f"})
		packets := cutAs(encrypt(up.key, plain), sizes...)
		w.packet(id, 1, false, packets[0])
		w.packet(id, 3, false, packets[2])
		c.restart()
		w = c.gateway(w)
		for i := range slices.Backward(packets) {
			w.packet(id, i+1, i == len(packets)-1, packets[i])
			if i == 4 {
				c.restart()
				w = c.gateway(w)
			}
		}
		w.confirmUpload(id, plain)
		w.expectStored("f", plain)
	}
}

// Many packets, some cut off and some twice, over several connections, in an
// order that the scheduler makes.
func TestPlacesAtRandom(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	for round := range uint64(10) {
		random := rand.New(rand.NewPCG(9, round))
		plain := content(100+round, 600_000)
		id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: "f"})
		sizes := []int{1 + random.IntN(60_000)}
		for range random.IntN(4) { // some uploads are uneven
			sizes = append(sizes, 1+random.IntN(60_000))
		}
		packets := cutAs(encrypt(up.key, plain), sizes...)
		type job struct {
			n    int
			drop bool
		}
		jobs := make(chan job)
		var sending sync.WaitGroup
		for range 6 {
			v := c.gateway(w)
			sending.Go(func() {
				for j := range jobs {
					p := packets[j.n]
					if j.drop {
						tr := v.open(id, j.n+1, false, len(p))
						v.ask(&protocol.PacketPiece{Transfer: tr}, bytes.Repeat([]byte{0xAA}, len(p)/2), new(protocol.Done))
						v.done(&protocol.DropPacket{Transfer: tr})
					}
					v.packet(id, j.n+1, j.n == len(packets)-1, p)
				}
			})
		}
		for _, n := range random.Perm(len(packets)) {
			for range 1 + random.IntN(2) {
				jobs <- job{n, random.IntN(3) == 0}
			}
		}
		close(jobs)
		sending.Wait()
		w.confirmUpload(id, plain)
		w.expectStored("f", plain)
	}
}
