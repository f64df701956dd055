package attack

import (
	"testing"

	"coffer/internal/stack"
)

// The harness serves an honest client: a test of attacks that cannot even do
// that would find everything refused, and prove nothing.
func TestHonest(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "honest")
	v.backup(t, "diary.txt", []byte("dear diary"))
	v.reconnect(t, core.Addr)
	v.backup(t, "diary.txt", []byte("dear diary, again"))

	stack.NewGateway(t, core)
	p := stack.Register(t, core.Addr, "ada")
	p.Write(t, "notes.txt", []byte("sealed"))
	p.Must(t, "backup", "notes.txt")
	if out := p.Must(t, "restore", "notes.txt", "-o", "-"); out != "sealed" {
		t.Errorf("notes.txt came back as %q", out)
	}
}
