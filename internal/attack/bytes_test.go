package attack

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"coffer/internal/stack"
)

// A name whose bytes are not UTF-8 means that file, or is refused; never the
// one that a replacement character would make of it.
func TestBytesOfNames(t *testing.T) {
	core := stack.NewCore(t)
	p := stack.Register(t, core.Addr, "ada")
	const latin1, replaced = "caf\xe9.txt", "caf\ufffd.txt"
	p.Write(t, replaced, []byte("another file"))
	if err := os.WriteFile(filepath.Join(p.Dir, latin1), []byte("coffee"), 0o600); err != nil {
		if runtime.GOOS != "linux" {
			t.Skipf("names here are text: %v", err)
		}
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"backup", latin1},
		{"backup", latin1, "--name", latin1},
		{"restore", latin1},
		{"remove", latin1},
		{"verify", latin1},
		{"register", "--server", core.Addr, "--name", latin1},
	} {
		if out, errs, code := p.Run(t, args...); code != 2 {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	p.Must(t, "backup", latin1, "--name", "cafe")
	if out := p.Must(t, "restore", "cafe", "-o", "-"); out != "coffee" {
		t.Errorf("%q was backed up", out)
	}
	p.Must(t, "restore", "cafe", "-o", "out-"+latin1)
	if content, err := os.ReadFile(filepath.Join(p.Dir, "out-"+latin1)); err != nil || string(content) != "coffee" {
		t.Errorf("%q, %v", content, err)
	}
	if content, err := os.ReadFile(filepath.Join(p.Dir, replaced)); err != nil || string(content) != "another file" {
		t.Errorf("the other file: %q, %v", content, err)
	}
}
