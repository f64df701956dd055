package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// examples runs the scripts of examples/ as a person without the project's
// programs would.
type examples struct {
	t       *testing.T
	folder  string
	account string
	env     []string
}

func newExamples(t *testing.T, g *gateway) *examples {
	folder := t.TempDir()
	return &examples{
		t: t, folder: folder, account: filepath.Join(folder, "account"),
		env: append(os.Environ(), "COFFER_URL="+g.url, "COFFER_PACKET=65536"),
	}
}

func (e *examples) command(ctx context.Context, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join("../../examples", script), append([]string{e.account}, args...)...)
	cmd.Env = e.env
	return cmd
}

// must runs a script that has to succeed and returns what it says.
func (e *examples) must(script string, args ...string) string {
	e.t.Helper()
	out, err := e.command(e.t.Context(), script, args...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("%s %q: %v\n%s", script, args, err, out)
	}
	return string(out)
}

// refused runs a script that has to fail, saying want.
func (e *examples) refused(want, script string, args ...string) {
	e.t.Helper()
	out, err := e.command(e.t.Context(), script, args...).CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), want) {
		e.t.Errorf("%s %q: %v, want a failure and %q\n%s", script, args, err, want, out)
	}
}

// file makes a file to back up.
func (e *examples) file(name string, content []byte) string {
	e.t.Helper()
	path := filepath.Join(e.folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

// restores checks that a file comes back as it was.
func (e *examples) restores(want []byte, name string, version ...string) {
	e.t.Helper()
	path := filepath.Join(e.folder, "restored")
	e.must("restore.sh", append([]string{name, path}, version...)...)
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		e.t.Errorf("%s came back as %d other bytes, or %v; there were %d", name, len(got), err, len(want))
	}
}

// restoresNot checks that nothing comes in place of a file that cannot be
// restored.
func (e *examples) restoresNot(want, name string) {
	e.t.Helper()
	path := filepath.Join(e.folder, "not restored")
	e.refused(want, "restore.sh", name, path)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		e.t.Errorf("%s: there is a file all the same, or %v", name, err)
	}
}

func TestExamples(t *testing.T) {
	c, g, args := newServers(t)
	e := newExamples(t, g)
	large := randomBytes(1, 300_000) // 5 packets, more than a small blob
	for _, file := range []struct {
		name    string
		content []byte
	}{
		{"empty", nil},
		{"one byte", []byte("x")},
		{"a block", randomBytes(2, 16)},
		{"large", large},
		{"notes/שלום 100% ü+?&#.txt", []byte("Unicode, spaces, and what has a meaning in addresses")},
	} {
		path := e.file("file", file.content)
		packets := (len(file.content) - len(file.content)%16 + 16 + 65535) / 65536
		if said := e.must("backup.sh", path, file.name); said != fmt.Sprintf("backed up %s, %d packets, version 1\n", file.name, packets) {
			t.Errorf("%s: %s", file.name, said)
		}
		e.restores(file.content, file.name)
		if list := e.must("restore.sh"); !strings.Contains(list, fmt.Sprintf("%s\tversion 1\t%d bytes\t", file.name, len(file.content))) {
			t.Errorf("%s is not in the list:\n%s", file.name, list)
		}
	}

	t.Run("versions", func(t *testing.T) {
		for i, content := range []string{"first", "second"} {
			if said := e.must("backup.sh", e.file("file", []byte(content)), "versions"); !strings.Contains(said, fmt.Sprintf("version %d\n", i+1)) {
				t.Error(said)
			}
		}
		e.restores([]byte("second"), "versions")
		e.restores([]byte("first"), "versions", "1")
		e.refused("version", "restore.sh", "versions", filepath.Join(e.folder, "x"), "3")
	})
	t.Run("not there", func(t *testing.T) {
		e.restoresNot("GET /files/none", "none")
		e.refused("no file", "backup.sh", filepath.Join(e.folder, "missing"))
		e.refused("not UTF-8", "backup.sh", e.file("caf\xe9", []byte("coffee")))
		e.refused("not UTF-8", "restore.sh", "caf\xe9", filepath.Join(e.folder, "x"))
	})
	t.Run("damaged", func(t *testing.T) {
		if err := c.stop(); err != nil {
			t.Fatal(err)
		}
		flip(t, c.data+"/received_files/*/*", int64(len(large)/2), func(size int64) bool { return size == int64(len(large)+16-len(large)%16) })
		c.restart(t, args...)
		e.restoresNot("checksum", "large")
	})
	t.Run("another key", func(t *testing.T) {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		e.file("account/key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		e.restoresNot("another key", "versions")
		e.refused("POST /keys/public: ", "backup.sh", e.file("file", nil))
	})
	id, err := os.ReadFile(filepath.Join(e.account, "client_id"))
	if err != nil || len(id) != len("6f1c7a52-0b0e-4f0d-9d3c-0c4d1c9a7b21\n") {
		t.Fatalf("no client id: %q, %v", id, err)
	}
	if strings.Contains(c.log.since(0)+g.log.since(0), strings.TrimSpace(string(id))) {
		t.Error("the logs have the client id")
	}
}

// flip flips a bit in the one file that fits.
func flip(t *testing.T, glob string, at int64, fits func(size int64) bool) {
	t.Helper()
	names, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() || !fits(info.Size()) {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		content[at] ^= 1
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		flipped++
	}
	if flipped != 1 {
		t.Fatalf("%d files of %q fit", flipped, names)
	}
}

// That the core is killed and comes back under a script goes unnoticed.
func TestExamplesSurviveACrash(t *testing.T) {
	c, g, args := newServers(t)
	e := newExamples(t, g)
	content := randomBytes(3, 12*65536)
	path := e.file("file", content)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	backup := e.command(ctx, "backup.sh", path)
	said := newOutput()
	backup.Stdout, backup.Stderr = said, said
	running := &process{cmd: backup, log: said}
	if err := running.run(); err != nil {
		t.Fatal(err)
	}
	defer running.kill()
	for range 3 {
		g.expect(t, g.log.length(), "/packets/{n} status=200")
		from := g.log.length()
		c.kill()
		g.expect(t, from, "status=503")
		c.restart(t, args...)
	}
	select {
	case <-running.done:
	case <-time.After(2 * patience):
		t.Fatal("the backup does not end")
	}
	if running.err != nil {
		t.Fatalf("%v\n%s", running.err, said.tail())
	}
	e.restores(content, "file")
}
