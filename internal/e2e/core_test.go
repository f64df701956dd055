package e2e

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"coffer/internal/stack"
)

// A core is a running coffer-server that can be killed and started again at
// the same address.
type core struct {
	folder string // its working folder
	data   string
	addr   string
	process
}

// newCore starts a server for a test.
func newCore(t *testing.T, args ...string) *core {
	t.Helper()
	folder := t.TempDir()
	addr := stack.FreeAddr(t)
	c := &core{folder: folder, data: folder + "/data", addr: addr, process: process{log: newOutput()}}
	if i := slices.Index(args, "--data"); i >= 0 {
		c.data = args[i+1]
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the server's log ends with:\n%s", c.log.tail())
		}
	})
	c.restart(t, args...)
	return c
}

// restart starts the server, which is not running.
func (c *core) restart(t *testing.T, args ...string) {
	t.Helper()
	if err := c.start(t.Context(), args...); err != nil {
		t.Fatalf("%v; its log ends with:\n%s", err, c.log.tail())
	}
}

// start starts the server and waits until it serves. Later arguments override
// earlier ones.
func (c *core) start(ctx context.Context, args ...string) error {
	args = append([]string{
		"--data", c.data, "--listen", c.addr, "--internal-listen", "", "--console-listen", "",
		"--min-free", "1MiB", "--log-level", "debug",
	}, args...)
	c.cmd = exec.Command("coffer-server", args...)
	c.cmd.Dir = c.folder
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	from := c.log.length()
	if err := c.run(); err != nil {
		return err
	}
	return c.await(ctx, from, "msg=serving")
}

// A person has a home with keys, and types commands.
type person struct {
	t    *testing.T
	home string
	dir  string // working folder
}

// register makes a person with an account at addr.
func register(t *testing.T, addr, name string) *person {
	t.Helper()
	p := &person{t: t, home: t.TempDir(), dir: t.TempDir()}
	p.must("register", "--server", addr, "--name", name)
	return p
}

// registerPlain makes a person whose traffic a test can change: TLS would end
// the connection before the checksum sees what was changed.
func registerPlain(t *testing.T, addr, name string) *person {
	t.Helper()
	p := &person{t: t, home: t.TempDir(), dir: t.TempDir()}
	p.must("register", "--server", addr, "--name", name, "--insecure")
	return p
}

// command is a coffer command that has not been started.
func (p *person) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), "coffer", args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "COFFER_HOME="+p.home, "COFFER_RSA_BITS=1024")
	return cmd
}

// must runs a command that has to succeed and returns its standard output.
func (p *person) must(args ...string) string {
	p.t.Helper()
	var stderr bytes.Buffer
	cmd := p.command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("coffer %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// refused runs a command that has to fail, saying want.
func (p *person) refused(want string, args ...string) {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), want) {
		p.t.Fatalf("coffer %s: %v, want exit code 1 and %q\n%s", strings.Join(args, " "), err, want, out)
	}
}

// write makes a file of random bytes in the person's folder.
func (p *person) write(name string, size int) []byte {
	p.t.Helper()
	content := randomBytes(uint64(size), size)
	if err := os.WriteFile(p.dir+"/"+name, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return content
}

// gets checks that a file comes back as it was.
func (p *person) gets(name string, want []byte) {
	p.t.Helper()
	if got := p.must("restore", name, "-o", "-", "--accept-unsealed"); got != string(want) {
		p.t.Fatalf("%s came back as %d other bytes; there were %d", name, len(got), len(want))
	}
}

// randomBytes are the same for the same seed.
func randomBytes(seed uint64, size int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	content := make([]byte, size)
	rand.NewChaCha8(key).Read(content)
	return content
}
