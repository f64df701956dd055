package attack

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol"
)

// scale is how much memory of a program is allowed, which the race detector
// multiplies.
func scale(memory int64) int64 {
	if stack.Racing {
		return 10 * memory
	}
	return memory
}

// dialFrom connects from one of this machine's loopback addresses.
func dialFrom(t testing.TB, ip, addr string) *peer {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	nc, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		if runtime.GOOS != "linux" { // which has all of 127.0.0.0/8
			t.Skipf("no connections from %s here: %v", ip, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &peer{nc: nc, in: bufio.NewReader(nc)}
}

// beside is the victim's client on one more connection, from an address, with a
// session key that it does not care to unwrap.
func (v *victim) beside(t testing.TB, ip, addr string) *peer {
	t.Helper()
	p := dialFrom(t, ip, addr)
	p.id = v.id
	if code, _ := p.ask(t, &protocol.Reconnect{Name: name(t, v.name)}, nil); code != protocol.CodeReconnected {
		t.Fatalf("reconnect: %v", code)
	}
	return p
}

// settled waits until the core has served what was sent before.
func (p *peer) settled(t testing.TB) {
	t.Helper()
	if code, _ := p.ask(t, &protocol.Register{}, nil); code != protocol.CodeRegisterRefused {
		t.Fatalf("a registration of no name: %v", code)
	}
}

// Connections that stand still in the middle of packets, over uploads with gaps,
// cost little each, and it comes back.
func TestHalfPackets(t *testing.T) {
	core := stack.NewCore(t)
	honest := newVictim(t, core.Addr, "honest")
	attacker := newVictim(t, core.Addr, "attacker")
	before := core.Memory(t)
	most, began := before, time.Now()
	const flood, addresses, uploads = 1000, 5, 250
	one := bytes.Repeat([]byte("x"), 1000)
	var peers []*peer
	for n := range flood {
		p := attacker.beside(t, fmt.Sprint("127.0.1.", 1+n%addresses), core.Addr)
		file := fmt.Sprint("file ", n%uploads)
		p.send(t, packet(t, file, 1<<20, 1<<20+16, 3, 40), one)
		p.send(t, packet(t, file, 1<<20, 1<<20+16, 5, 40), one)
		p.settled(t)
		half := protocol.AppendRequest(nil, p.id, packet(t, file, 1<<20, 1<<20+16, 7, 40), 300_000)
		if _, err := p.nc.Write(append(half, make([]byte, 20_000)...)); err != nil {
			t.Fatal(err)
		}
		peers = append(peers, p)
		if n%50 == 0 {
			most = max(most, core.Memory(t))
		}
	}
	honest.backup(t, "diary.txt", []byte("dear diary"))
	most = max(most, core.Memory(t))
	for _, p := range peers {
		p.nc.Close()
	}
	honest.backup(t, "diary.txt", []byte("dear diary, again"))
	after := core.Memory(t)
	t.Logf("%d connections over %d uploads in %v: %d MiB before, %d at most, %d after", flood, uploads, time.Since(began).Round(time.Millisecond), before>>20, most>>20, after>>20)
	if bound := before + scale(flood*32<<10+24<<20); most > bound || after > bound {
		t.Errorf("%d and %d MiB: more than %d", most>>20, after>>20, bound>>20)
	}
}

// Readers who stand still keep little, however much they asked for.
func TestStalledReaders(t *testing.T) {
	core := stack.NewCore(t)
	honest := newVictim(t, core.Addr, "honest")
	const accounts, each = 2, 50
	file := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB: more than the system takes on the way
	var readers []*victim
	for n := range accounts {
		v := newVictim(t, core.Addr, fmt.Sprint("reader ", n))
		v.backup(t, "large", file)
		readers = append(readers, v)
	}
	before := core.Memory(t)
	began := time.Now()
	for _, v := range readers {
		for range each {
			p := &victim{peer: dialFrom(t, "127.0.1.1", core.Addr), name: v.name, private: v.private}
			p.id = v.id
			code, payload := p.ask(t, &protocol.Reconnect{Name: name(t, p.name)}, nil)
			if code != protocol.CodeReconnected {
				t.Fatalf("reconnect: %v", code)
			}
			p.unwrap(t, payload[len(p.id):])
			p.prove(t)
			p.send(t, &protocol.ReadFile{Name: "large"}, nil)
			if h, err := protocol.ReadResponseHeader(p.in); err != nil || h.Code != protocol.CodeFileContent {
				t.Fatalf("read: %v, %v", h.Code, err)
			}
		}
	}
	honest.backup(t, "diary.txt", []byte("dear diary"))
	during := core.Memory(t)
	t.Logf("%d readers in %v: %d MiB before, %d during", accounts*each, time.Since(began).Round(time.Millisecond), before>>20, during>>20)
	if bound := before + scale(accounts*each*128<<10+10<<20); during > bound {
		t.Errorf("%d MiB: more than %d", during>>20, bound>>20)
	}
}

// prove shows that the connection holds its session key.
func (v *victim) prove(t testing.TB) {
	t.Helper()
	code, challenge := v.ask(t, &protocol.Challenge{}, nil)
	if code != protocol.CodeChallengeIssued {
		t.Fatalf("challenge: %v", code)
	}
	if code, _ := v.ask(t, &protocol.Prove{Proof: v.key.Proof(challenge)}, nil); code != protocol.CodeDone {
		t.Fatalf("prove: %v", code)
	}
}

// The work that a packet makes, and its answer, does not depend on how many
// wait for what is missing before them.
func TestPacketsOutOfOrder(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "attacker")
	v.prove(t)
	cost := func(packets int) time.Duration {
		code, payload := v.ask(t, &protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: fmt.Sprint("bytes ", packets)}, nil)
		var begun protocol.UploadBegun
		if err := begun.DecodePayload(payload); code != protocol.CodeUploadBegun || err != nil {
			t.Fatalf("begin: %v, %v", code, err)
		}
		began := core.CPU(t)
		const burst = 100
		for n := packets; n > 0; n -= burst {
			var all []byte
			for i := range burst { // every other number, backwards: none is beside another
				m := &protocol.UploadPacket{Upload: begun.Upload, Number: uint32(2 * (n - i))}
				all = append(protocol.AppendRequest(all, v.id, m, 1), 'x')
			}
			if _, err := v.nc.Write(all); err != nil {
				t.Fatal(err)
			}
			for range burst {
				if code, _, err := v.receive(); code != protocol.CodeUploadState || err != nil {
					t.Fatalf("%d packets: %v, %v", packets, code, err)
				}
			}
		}
		return core.CPU(t) - began
	}
	few, many := cost(2_000), cost(10_000)
	t.Logf("2,000 packets of a byte with gaps, backwards: %v of a processor; 10,000: %v", few, many)
	if floor := 100 * time.Millisecond; many > 12*max(few, floor) { // 5 times as many; 25 times the work if each looked at all
		t.Errorf("10,000 packets cost %v, and 2,000 %v", many, few)
	}
}
