package stack

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Core is a running coffer-server that can be killed and started again at
// the same addresses.
type Core struct {
	Folder   string // its working folder
	Data     string
	Addr     string // for clients
	Internal string // for gateways
	Console  string // of the operator's console
	Process
}

// NewCore starts a core with extra arguments, which override the harness's own.
func NewCore(t testing.TB, args ...string) *Core {
	t.Helper()
	folder := t.TempDir()
	c := &Core{Folder: folder, Data: filepath.Join(folder, "data"), Addr: FreeAddr(t), Internal: FreeAddr(t), Console: FreeAddr(t),
		Process: Process{Log: NewOutput()}}
	t.Cleanup(func() {
		c.Kill()
		if t.Failed() {
			t.Logf("the core's log ends with:\n%s", c.Log.Tail())
		}
	})
	c.Start(t, args...)
	return c
}

// Start starts a core that is not running and waits until it serves.
func (c *Core) Start(t testing.TB, args ...string) {
	t.Helper()
	c.Cmd = exec.Command("coffer-server", append([]string{
		"--data", c.Data, "--listen", c.Addr, "--internal-listen", c.Internal, "--console-listen", c.Console,
		"--min-free", "1MiB", "--log-level", "debug",
	}, args...)...)
	c.Cmd.Dir = c.Folder
	c.Cmd.Env = append(os.Environ(), "COFFER_CORE_SECRET="+secret)
	from := c.Log.Len()
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if err := c.Await(t.Context(), from, "msg=serving"); err != nil {
		t.Fatalf("core: %v; its log ends with:\n%s", err, c.Log.Tail())
	}
}

// A Gateway is a running coffer-gateway.
type Gateway struct {
	URL string
	Process
}

// NewGateway starts a gateway in front of a core.
func NewGateway(t testing.TB, core *Core, args ...string) *Gateway {
	t.Helper()
	addr := FreeAddr(t)
	g := &Gateway{URL: "http://" + addr, Process: Process{Log: NewOutput()}}
	t.Cleanup(func() {
		g.Kill()
		if t.Failed() {
			t.Logf("the gateway's log ends with:\n%s", g.Log.Tail())
		}
	})
	g.Cmd = exec.Command("coffer-gateway", append([]string{"--listen", addr, "--core", core.Internal,
		"--jwt-secret-file", filepath.Join(t.TempDir(), "jwt")}, args...)...)
	g.Cmd.Env = append(os.Environ(), "COFFER_CORE_SECRET="+secret)
	if err := g.run(); err != nil {
		t.Fatal(err)
	}
	if err := g.Await(t.Context(), 0, "msg=serving"); err != nil {
		t.Fatalf("gateway: %v; its log ends with:\n%s", err, g.Log.Tail())
	}
	return g
}

// A Person has a home with keys, and types commands.
type Person struct {
	Home string // the profile's folder
	Dir  string // the working folder
	Env  []string
}

// NewPerson returns a person without an account.
func NewPerson(t testing.TB) *Person {
	t.Helper()
	return &Person{Home: t.TempDir(), Dir: t.TempDir()}
}

// Register returns a person with an account at addr.
func Register(t testing.TB, addr, name string) *Person {
	t.Helper()
	p := NewPerson(t)
	p.Must(t, "register", "--server", addr, "--name", name)
	return p
}

// Command returns a coffer command that has not been started.
func (p *Person) Command(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "coffer", args...)
	cmd.Dir = p.Dir
	cmd.Env = append(append(os.Environ(), "COFFER_HOME="+p.Home, "COFFER_RSA_BITS=1024"), p.Env...)
	return cmd
}

// Must runs a command that has to succeed and returns its standard output.
func (p *Person) Must(t testing.TB, args ...string) string {
	t.Helper()
	stdout, stderr, code := p.Run(t, args...)
	if code != 0 {
		t.Fatalf("coffer %q: exit code %d\n%s", args, code, stderr)
	}
	return stdout
}

// Run runs a command, and returns what it wrote and its exit code, -1 if a
// signal ended it.
func (p *Person) Run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := p.Command(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("coffer %q: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Write makes a file in the person's working folder.
func (p *Person) Write(t testing.TB, name string, content []byte) {
	t.Helper()
	path := filepath.Join(p.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
