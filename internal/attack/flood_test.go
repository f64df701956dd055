package attack

import (
	"fmt"
	"net"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol"
)

// Half headers from one address take no connection from anybody who speaks.
func TestHalfHeaders(t *testing.T) {
	core := stack.NewCore(t, "--max-connections", "400")
	v := newVictim(t, core.Addr, "honest")
	began := time.Now()
	const flood = 1000
	for range flood {
		nc, err := net.Dial("tcp", core.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.Write(make([]byte, 11)) // one that was closed meanwhile is the point
	}
	v.backup(t, "diary.txt", []byte("dear diary"))
	v.reconnect(t, core.Addr)
	v.backup(t, "diary.txt", []byte("dear diary, again"))
	t.Logf("%d half headers in %v, and two backups beside them", flood, time.Since(began))
}

// One address registers 60 names, however many it asks for.
func TestRegistrationFlood(t *testing.T) {
	core := stack.NewCore(t)
	began, taken := time.Now(), 0
	const asked = 2000
	p := dial(t, core.Addr)
	for n := range asked {
		switch code, _ := p.ask(t, &protocol.Register{Name: name(t, fmt.Sprint("flood ", n))}, nil); code {
		case protocol.CodeRegistered:
			taken++
		case protocol.CodeError:
		default:
			t.Fatalf("name %d: %v", n, code)
		}
	}
	if taken < 60 || taken > 65 {
		t.Errorf("%d names were registered", taken)
	}
	t.Logf("%d of %d names in %v", taken, asked, time.Since(began))
}
