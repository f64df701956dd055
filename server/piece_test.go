package server_test

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
)

// Packets that come in pieces, over any connections.

func (w *wire) open(id protocol.UploadID, number int, last bool, room int) protocol.TransferID {
	w.t.Helper()
	m := &protocol.OpenPacket{Room: uint32(room), Packet: protocol.UploadPacket{Upload: id, Number: uint32(number), Last: last}}
	rand.Read(m.Transfer[:])
	w.done(m)
	return m.Transfer
}

// piece sends the part of a packet from from to to, and ends it with the last.
func (w *wire) piece(tr protocol.TransferID, packet []byte, from, to int) (s protocol.UploadState) {
	w.t.Helper()
	m := &protocol.PacketPiece{Transfer: tr, Offset: uint32(from), End: to == len(packet)}
	if m.End {
		w.ask(m, packet[from:to], &s)
	} else {
		w.ask(m, packet[from:to], new(protocol.Done))
	}
	return s
}

func TestPieces(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(60, 1_500_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 3, Name: "f"})
	packets := cut(encrypt(up.key, plain), 500_010)
	other := w.beside(c.public)

	// The third comes first, and the first two beside each other, piece by
	// piece, over two connections.
	third := w.open(id, 3, false, len(packets[2]))
	w.piece(third, packets[2], 0, 10)
	other.piece(third, packets[2], 10, len(packets[2]))
	first, second := w.open(id, 1, false, len(packets[0])), w.open(id, 2, false, len(packets[1])+1000)
	for at := 0; at < len(packets[0]); at += 100_002 {
		w.piece(first, packets[0], at, min(at+100_002, len(packets[0])))
		other.piece(second, packets[1], at, min(at+100_002, len(packets[1])))
	}
	ref := protocol.UploadRef{ByID: true, Upload: id}
	var s protocol.UploadState
	w.ask(&protocol.GetUpload{Ref: ref}, nil, &s)
	if !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Fatalf("state: %+v", s)
	}
	var r protocol.VerifyResult
	w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: s.Cksum}, nil, &r)
	w.expectStored("f", plain)
}

// What a sender repeats because it got no answer changes nothing.
func TestPiecesRepeated(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(61, 10_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Name: "f"})
	packet := encrypt(up.key, plain)
	m := &protocol.OpenPacket{Transfer: protocol.TransferID{1}, Room: uint32(len(packet)), Packet: protocol.UploadPacket{Upload: id, Number: 1, Last: true}}
	w.done(m)
	w.piece(m.Transfer, packet, 0, 4000)
	w.done(m)
	w.piece(m.Transfer, packet, 0, 4000)
	w.piece(m.Transfer, packet, 2000, 6000) // partly there
	w.fails(&protocol.PacketPiece{Transfer: m.Transfer, Offset: 6001}, packet[6001:7000], protocol.StatusConflict)
	w.fails(&protocol.PacketPiece{Transfer: m.Transfer, Offset: 4000, End: true}, packet[4000:5000], protocol.StatusConflict)
	first := w.piece(m.Transfer, packet, 6000, len(packet))
	again := w.piece(m.Transfer, packet, 6000, len(packet))
	if !first.Complete || !again.Complete || first.Cksum != cksum.Sum(plain) {
		t.Errorf("states: %+v, then %+v", first, again)
	}
	w.done(m) // and no second packet
	if s := w.piece(m.Transfer, packet, 6000, len(packet)); !s.Complete {
		t.Errorf("state after opening it again: %+v", s)
	}
}

// A packet that is given up leaves the upload as it was, whether it was its
// turn or it waited.
func TestPiecesDropped(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(62, 200_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 2, Name: "f"})
	packets := cut(encrypt(up.key, plain), 120_000)
	garbage := content(63, 100_000)
	for _, number := range []int{1, 2} {
		tr := w.open(id, number, false, 120_000)
		w.ask(&protocol.PacketPiece{Transfer: tr}, garbage, new(protocol.Done))
		w.done(&protocol.DropPacket{Transfer: tr})
		w.fails(&protocol.PacketPiece{Transfer: tr, Offset: uint32(len(garbage))}, []byte{1}, protocol.StatusUnavailable)
		w.done(&protocol.DropPacket{Transfer: tr})
	}
	w.packet(id, 2, false, packets[1])
	if s := w.packet(id, 1, false, packets[0]); !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Errorf("state: %+v", s)
	}
}

// A sender that fell silent in the middle of the packet whose turn it is keeps
// nobody waiting: the same packet comes again, and the upload goes on.
func TestPiecesOvertaken(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(64, 200_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 2, Name: "f"})
	packets := cut(encrypt(up.key, plain), 120_000)
	stuck := w.open(id, 1, false, 120_000)
	w.ask(&protocol.PacketPiece{Transfer: stuck}, packets[0][:50_000], new(protocol.Done))
	w.packet(id, 2, false, packets[1])
	if s := w.packet(id, 1, false, packets[0]); !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Errorf("state: %+v", s)
	}
	if s := w.piece(stuck, packets[0], 50_000, len(packets[0])); !s.Complete {
		t.Errorf("the late one got %+v", s)
	}
}

func TestPiecesOfNamedPackets(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(65, 300_000)
	packets := cut(encrypt(w.key, plain), 200_000)
	var s protocol.UploadState
	for i, p := range packets {
		m := &protocol.OpenNamedPacket{Transfer: protocol.TransferID{byte(i + 1)}, Room: 1 << 20,
			Packet: protocol.NamedPacket{OriginalSize: uint64(len(plain)), Number: uint32(i + 1), Total: 2, Name: protocol.Field(field("f"))}}
		w.done(m)
		w.piece(m.Transfer, p, 0, 1000)
		w.done(m) // a repeated opening does not start the file over
		s = w.piece(m.Transfer, p, 1000, len(p))
	}
	if !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Errorf("state: %+v", s)
	}
	bad := &protocol.OpenNamedPacket{Packet: protocol.NamedPacket{Number: 3, Total: 2, Name: protocol.Field(field("f"))}}
	w.fails(bad, nil, protocol.StatusInvalid)
}

func TestPiecesRefused(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploads = 300 })
	w := c.proven("client")
	id, _ := w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "f"})
	w.fails(&protocol.OpenPacket{Packet: protocol.UploadPacket{Upload: id}}, nil, protocol.StatusInvalid)
	w.fails(&protocol.OpenPacket{Packet: protocol.UploadPacket{Number: 1}}, nil, protocol.StatusNotFound)
	w.fails(&protocol.PacketPiece{}, []byte("x"), protocol.StatusUnavailable)

	tr := w.open(id, 1, false, 100)
	w.fails(&protocol.PacketPiece{Transfer: tr}, bytes.Repeat([]byte{1}, 101), protocol.StatusTooLarge)
	w.fails(&protocol.PacketPiece{Transfer: tr, End: true}, nil, protocol.StatusTooLarge)

	mine := w.open(id, 1, false, 100)
	other := c.proven("other")
	other.fails(&protocol.PacketPiece{Transfer: mine}, []byte("x"), protocol.StatusUnavailable)
	other.done(&protocol.DropPacket{Transfer: mine})
	w.ask(&protocol.PacketPiece{Transfer: mine}, []byte("x"), new(protocol.Done))

	for i := range 255 { // with the one above, one client's most
		w.open(id, i+2, false, 1)
	}
	m := &protocol.OpenPacket{Transfer: protocol.TransferID{1}, Packet: protocol.UploadPacket{Upload: id, Number: 1000}}
	w.fails(m, nil, protocol.StatusTooMany)
	w.done(&protocol.DropPacket{Transfer: mine})
	w.done(m)

	w.done(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}})
	w.fails(&protocol.PacketPiece{Transfer: m.Transfer, End: true}, nil, protocol.StatusNotFound)
}

// A client may send any number of packets in pieces, if not at once.
func TestManyTransfers(t *testing.T) {
	w := startCore(t, nil).proven("client")
	id, _ := w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "f"})
	for n := 1; n <= 1500; n++ {
		tr := w.open(id, n, false, 1)
		if s := w.piece(tr, []byte{1}, 0, 1); int(s.Received) != n {
			t.Fatalf("packet %d: %+v", n, s)
		}
	}
}

// Pieces are forgotten with the process; whole packets are not.
func TestPiecesOverARestart(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	plain := content(66, 200_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 2, Name: "f"})
	packets := cut(encrypt(up.key, plain), 120_000)
	first := w.open(id, 1, false, 120_000)
	w.piece(first, packets[0], 0, len(packets[0]))
	second := w.open(id, 2, false, 120_000)
	w.piece(second, packets[1], 0, 5000)
	c.restart()
	w = w.beside(c.public)
	w.fails(&protocol.PacketPiece{Transfer: second, Offset: 5000}, packets[1][5000:], protocol.StatusUnavailable)
	if s := w.packet(id, 2, false, packets[1]); !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Errorf("state: %+v", s)
	}
}

// A packet whose sender is never heard of again is given up, so that it holds
// neither memory nor room.
func TestPiecesExpire(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) {
		cfg.IdleTimeout, cfg.SessionTTL = 500*time.Millisecond, 4*time.Second // looked after each second
	})
	w := c.proven("client")
	id, _ := w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "f"})
	tr := w.open(id, 1, false, 100)
	w.ask(&protocol.PacketPiece{Transfer: tr}, []byte("x"), new(protocol.Done))
	eventually(t, "the packet is given up", func() bool {
		v := c.gateway(w) // each is too short-lived to be closed
		defer v.nc.Close()
		var f protocol.Failure
		v.ask(&protocol.PacketPiece{Transfer: tr, Offset: 50}, []byte("x"), &f)
		return f.Status == protocol.StatusUnavailable
	})
}
