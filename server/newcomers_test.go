package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"coffer/protocol"
)

// The first key of a new client comes from the connection that registered it,
// or soon after from the same address; a name that was registered and left is
// free again.
func TestFirstKey(t *testing.T) {
	c := startCore(t, nil)

	w := dial(t, c.public)
	w.register("same connection")
	w.sendKey(key1024)

	w.register("same address")
	w.nc.Close()
	w = w.another(c.public)
	w.sendKey(key1024)
	w.store("f", []byte("x"), 100)

	// The registering connection is open, so its name is taken.
	w.register("taken")
	w.another(c.public).sendsNoName("taken")

	// It is closed: the same address may begin anew, under a new id, and the
	// one before is nobody's.
	first := dial(t, c.public)
	first.register("cut off")
	first.nc.Close()
	second := dial(t, c.public)
	eventually(t, "the name is free", func() bool {
		second.send(1025, field("cut off"))
		code, p, err := second.receive()
		if err != nil {
			t.Fatal(err)
		}
		if code == 1600 {
			second.id, second.name = [16]byte(p), "cut off"
		}
		return code == 1600
	})
	if second.id == first.id {
		t.Error("the id stayed")
	}
	first = first.another(c.public)
	first.send(1026, field("cut off"), publicDER(t, key1024))
	first.expectEmpty(1607)
	second.sendKey(key1024)
	second.store("f", []byte("x"), 100)

	// With a key it is taken for good.
	second.nc.Close()
	for range 3 {
		dial(t, c.public).sendsNoName("cut off")
	}
}

func (w *wire) sendsNoName(name string) {
	w.t.Helper()
	w.send(1025, field(name))
	w.expectEmpty(1601)
}

// After a restart nobody knows who registered: an id alone sets no key.
func TestFirstKeyAfterARestart(t *testing.T) {
	c := startCore(t, nil)
	w := dial(t, c.public)
	w.register("ada")
	c.restart()
	w = w.another(c.public)
	w.send(1026, field("ada"), publicDER(t, key1024))
	w.expectEmpty(1607)
	if e := c.failures()[0]; e.Rule != protocol.RuleFirstKey {
		t.Errorf("the doctor says %v", e.Rule)
	}
	w.sendsNoName("ada") // not for ten minutes
}

// Who registers and does nothing more costs no file.
func TestNewcomersCostNoFile(t *testing.T) {
	c := startOnDisk(t, nil)
	count := func() int {
		records, err := os.ReadDir(filepath.Join(c.folder(), "received_files", "clients"))
		if err != nil {
			t.Fatal(err)
		}
		return len(records)
	}
	w := dial(t, c.public)
	for _, name := range []string{"a", "b", "c"} {
		w.register(name)
	}
	if n := count(); n != 0 {
		t.Errorf("%d files", n)
	}
	w.sendKey(key1024)
	if n := count(); n != 1 {
		t.Errorf("%d files after one key", n)
	}
}
