package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal of a size, and the other side of it.
func openTerminal(t *testing.T, width, height uint16) (terminal, other *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		const why = "there are no terminals here: "
		if os.Getenv("CI") != "" { // where they must be there
			t.Fatal(why, err)
		}
		t.Skip(why, err)
	}
	t.Cleanup(func() { other.Close() })
	number, err := unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(other.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal, other
}

// The figures in a terminal are live; when the server is gone, they say so; when
// it is there again, they go on; and q ends it.
func TestTopInATerminal(t *testing.T) {
	o := newOperator(t)
	terminal, other := openTerminal(t, 120, 30)
	p := &process{log: newOutput()}
	p.cmd = exec.Command("coffer-server", "top", "--data", o.core.data, "--console-listen", strings.TrimPrefix(o.url, "http://"))
	p.cmd.Env = append(os.Environ(), "TERM=xterm")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = terminal, terminal, terminal
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := other.Read(buf)
			if _, writeErr := p.log.Write(buf[:n]); err != nil || writeErr != nil {
				return // the terminal is closed
			}
		}
	}()
	p.expect(t, 0, "live")
	from := p.log.length()
	register(t, o.core.addr, "alice")
	p.expect(t, from, "registration")
	from = p.log.length()
	o.core.kill()
	p.expect(t, from, "no answer since")
	from = p.log.length()
	o.core.restart(t, "--console-listen", strings.TrimPrefix(o.url, "http://"))
	p.expect(t, from, "live")
	if _, err := other.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("it ended with %v", p.err)
		}
	case <-time.After(patience):
		t.Error("q does not end it")
	}
	terminal.Close()
	<-read
}
