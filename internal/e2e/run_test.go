package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/internal/stack"
)

// A pair is core and gateway run together by scripts/run, on free ports.
type pair struct {
	process // the script
	addr    map[string]string
	folder  string
}

// newPair starts a command that runs scripts/run, in a process group of its own.
func newPair(t *testing.T, command ...string) *pair {
	t.Helper()
	server, err := exec.LookPath("coffer-server")
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{process: process{log: newOutput()}, addr: map[string]string{}, folder: t.TempDir()}
	env := append(os.Environ(), "COFFER_BIN="+filepath.Dir(server), "COFFER_SERVER_DATA="+p.folder+"/data", "COFFER_SERVER_MIN_FREE=1MiB")
	for _, listener := range []string{"COFFER_SERVER_LISTEN", "COFFER_SERVER_INTERNAL_LISTEN", "COFFER_GATEWAY_LISTEN", "COFFER_CONSOLE_LISTEN"} {
		p.addr[listener] = stack.FreeAddr(t)
		env = append(env, listener+"="+p.addr[listener])
	}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Dir, p.cmd.Env = "../..", env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL, true)
		<-p.done
		if t.Failed() {
			t.Logf("the log ends with:\n%s", p.log.tail())
		}
	})
	return p
}

// signal signals the command, or its whole group, as a terminal does.
func (p *pair) signal(signal syscall.Signal, group bool) error {
	pid := p.cmd.Process.Pid
	if group {
		pid = -pid
	}
	return syscall.Kill(pid, signal)
}

// child is the process id of a program that the script runs.
func (p *pair) child(t *testing.T, name string) int {
	t.Helper()
	out, err := exec.Command("ps", "-axo", "pid=,pgid=,comm=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == strconv.Itoa(p.cmd.Process.Pid) && strings.HasPrefix(name, f[2]) {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("there is no process %s", name)
	return 0
}

// ended waits for the command to end and checks that nothing listens any more.
func (p *pair) ended(t *testing.T) *os.ProcessState {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	for listener, addr := range p.addr {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("%s is still taken: %v", listener, err)
			continue
		}
		l.Close()
	}
	return p.cmd.ProcessState
}

func TestRunTogether(t *testing.T) {
	script := []string{"scripts/run"}
	makeRun := []string{"make", "--no-print-directory", "-o", "build", "run"} // the tests built the programs
	for _, test := range []struct {
		name    string
		command []string
		signal  syscall.Signal
		group   bool
		exit    string // make ends as whatever is interrupted
	}{
		{"Ctrl-C", script, syscall.SIGINT, true, "exit status 0"},
		{"SIGTERM", script, syscall.SIGTERM, false, "exit status 0"},
		{"hangup", script, syscall.SIGHUP, true, "exit status 0"},
		{"Ctrl-C to make", makeRun, syscall.SIGINT, true, "signal: interrupt"},
		{"SIGTERM to make", makeRun, syscall.SIGTERM, false, "signal: terminated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if signal.Ignored(test.signal) {
				t.Skip("whoever runs this ignores the signal, as nohup does, and a shell cannot undo that")
			}
			t.Parallel()
			p := newPair(t, test.command...)
			p.expect(t, 0, "Ctrl-C stops it.\n")
			for _, want := range []string{
				"Clients: " + p.addr["COFFER_SERVER_LISTEN"] + "\n",
				fmt.Sprintf("API: http://%s (contract: http://%[1]s/docs)\n", p.addr["COFFER_GATEWAY_LISTEN"]),
				"Data: " + p.folder + "/data.",
			} {
				if !strings.Contains(p.log.since(0), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if info, err := os.Stat(p.folder + "/data/jwt.secret"); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the tokens' secret lies with the data: %v, %v", info, err)
			}
			if _, err := os.Stat("../../jwt.secret"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a secret in the project's folder: %v", err)
			}
			if err := p.signal(test.signal, test.group); err != nil {
				t.Fatal(err)
			}
			if got := p.ended(t).String(); got != test.exit {
				t.Errorf("%s, want %s", got, test.exit)
			}
			if n := strings.Count(p.log.since(0), "msg=stopped"); n != 2 {
				t.Errorf("%d of the two stopped in good order", n)
			}
		})
	}
}

// Another program on the console's port is said, in place of an address where
// that program answers; a console that was turned off is called so.
func TestRunSaysThatTheConsoleIsOff(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:8090"); err == nil {
		t.Cleanup(func() { l.Close() })
	} // or some other program has it
	for _, test := range []struct{ name, says, not string }{
		{"-u", "Console: off, because another program has 127.0.0.1:8090. COFFER_CONSOLE_LISTEN gives it another address.\n", "Console: http"},
		{"COFFER_CONSOLE_LISTEN=off", "Console: off\n", "another program"},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := []string{"env", test.name, "scripts/run"}
			if test.name == "-u" {
				command = []string{"env", "-u", "COFFER_CONSOLE_LISTEN", "scripts/run"}
			}
			p := newPair(t, command...)
			p.expect(t, 0, "Ctrl-C stops it.\n")
			if said := p.log.since(0); !strings.Contains(said, test.says) || strings.Contains(said, test.not) {
				t.Errorf("it does not say %q", test.says)
			}
			if err := p.signal(syscall.SIGTERM, false); err != nil {
				t.Fatal(err)
			}
			p.ended(t)
		})
	}
}

// If one program ends, so does the other, and it counts as a failure.
func TestRunEndsWithEither(t *testing.T) {
	for _, name := range []string{"coffer-server", "coffer-gateway"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, "scripts/run")
			p.expect(t, 0, "Ctrl-C stops it.\n")
			if err := syscall.Kill(p.child(t, name), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if code := p.ended(t).ExitCode(); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(p.log.since(0), name+" ended with exit code 137") || strings.Count(p.log.since(0), "msg=stopped") != 1 {
				t.Error("the other program did not stop in good order")
			}
		})
	}
}
