package e2e

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// nothing is what happens before a cut that only cuts.
func nothing() {}

func TestCutConnections(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	p := register(t, newProxy(t, c.addr, cutEvery(5<<20+4321, 4, nothing)), "cut off")
	big := p.write("big", 24<<20)
	p.must("backup", "big")
	p.gets("big", big)
	p.must("verify", "--all")
}

func TestCutStandardInput(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	p := register(t, newProxy(t, c.addr, cutEvery(3<<20+777, 4, nothing)), "cut off")
	content := randomBytes(1, 16<<20+5)
	cmd := p.command("backup", "-", "--name", "stream")
	cmd.Stdin = io.MultiReader(bytes.NewReader(content)) // of unknown length
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.gets("stream", content)
}

func TestCorruptOnce(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	for _, size := range []int{100_000, 3 << 20} {
		p := registerPlain(t, newProxy(t, c.addr, corrupt(1)), "unlucky with "+strings.Repeat("I", size>>20+1))
		content := p.write("file", size)
		from := c.log.length()
		p.must("backup", "file", "--archive")
		if !strings.Contains(c.log.since(from), "checksum is not the client's") {
			t.Error("the wrong byte went unnoticed")
		}
		p.gets("file", content)
		if got := strings.Count(p.must("list", "--versions"), "\nfile "); got != 1 {
			t.Errorf("%d versions", got)
		}
	}
}

func TestCorruptAlways(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	for name, flags := range map[string][]string{"sealed": {"--archive"}, "unsealed": {"--no-seal"}} {
		p := registerPlain(t, newProxy(t, c.addr, corrupt(1_000)), name)
		p.write("file", 100_000)
		from := c.log.length()
		p.refused("checksum", append([]string{"backup", "file"}, flags...)...)
		if got := strings.Count(c.log.since(from), "checksum is not the client's"); got != 4 {
			t.Errorf("%s: sent %d times, not 4", name, got)
		}
		if got := p.must("list", "--json"); strings.TrimSpace(got) != "[]" {
			t.Errorf("%s: committed all the same: %s", name, got)
		}
	}
}

// A backup that runs while the server is killed and started again finishes by
// itself.
func TestBackupOutlivesServer(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	p := register(t, newProxy(t, c.addr, cutEvery(6<<20, 3, func() {
		c.kill()
		c.restart(t)
	})), "steadfast")
	big := p.write("big", 24<<20)
	p.must("backup", "big")
	p.gets("big", big)
}

// So does one of standard input, wherever the server is killed: before, while
// and after packets are under way.
func TestStreamOutlivesServer(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	p := register(t, c.addr, "steadfast")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	cmd := p.command("backup", "-", "--name", "stream")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	content := randomBytes(2, 20<<20+17)
	for i, piece := range cut(content, 4<<20+1) {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			c.kill()
			c.restart(t)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	p.gets("stream", content)
}

// cut cuts content into pieces of at most size bytes.
func cut(content []byte, size int) (pieces [][]byte) {
	for len(content) > 0 {
		n := min(size, len(content))
		pieces = append(pieces, content[:n])
		content = content[n:]
	}
	return pieces
}
