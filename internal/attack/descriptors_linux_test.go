package attack

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/internal/stack"
)

// Unfinished uploads leave descriptors to those who register, back up and
// restore.
func TestDescriptors(t *testing.T) {
	core := stack.NewCore(t)
	const limit = 1700
	if err := unix.Prlimit(core.Cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}, nil); err != nil {
		t.Fatalf("bound the core's descriptors: %v", err)
	}
	owner := newVictim(t, core.Addr, "owner")
	owner.backup(t, "diary.txt", []byte("dear diary"))
	attacker := newVictim(t, core.Addr, "attacker")
	began, begun, most := time.Now(), 0, 0
	one := bytes.Repeat([]byte("x"), 1000)
	for n := range 16 { // 4 addresses, 4 connections each
		p := attacker.beside(t, fmt.Sprint("127.0.1.", 1+n%4), core.Addr)
		for i := range 60 {
			p.send(t, packet(t, fmt.Sprint("file ", n, " ", i), 1<<20, 1<<20+16, 3, 40), one)
			begun++
		}
		p.settled(t)
		most = max(most, core.Descriptors(t))
	}
	t.Logf("%d unfinished uploads in %v: %d descriptors at most", begun, time.Since(began).Round(time.Millisecond), most)
	if most > 1024+200 {
		t.Errorf("%d descriptors", most)
	}
	newVictim(t, core.Addr, "newcomer").backup(t, "first.txt", []byte("hello"))
	p := stack.Register(t, core.Addr, "ada")
	p.Write(t, "notes.txt", []byte("sealed"))
	p.Must(t, "backup", "notes.txt")
	if out := p.Must(t, "restore", "notes.txt", "-o", "-"); out != "sealed" {
		t.Errorf("notes.txt came back as %q", out)
	}
}
