package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Process is a program that runs beside a test.
type Process struct {
	Cmd  *exec.Cmd
	Log  *Output       // standard output and error, over all its runs
	Done chan struct{} // closed when Cmd has ended and Err is set
	Err  error
}

// run starts the command.
func (p *Process) run() error {
	p.Cmd.Stdout, p.Cmd.Stderr = p.Log, p.Log
	if err := p.Cmd.Start(); err != nil {
		return err
	}
	p.Done = make(chan struct{})
	go func() {
		p.Err = p.Cmd.Wait()
		close(p.Done)
	}()
	return nil
}

// Await waits until the log has text after its first from bytes.
func (p *Process) Await(ctx context.Context, from int, text string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for {
		grown := p.Log.grown()
		if strings.Contains(p.Log.Since(from), text) {
			return nil
		}
		select {
		case <-grown:
		case <-p.Done:
			if strings.Contains(p.Log.Since(from), text) {
				return nil
			}
			return fmt.Errorf("the program ended (%w) without %q", p.Err, text)
		case <-ctx.Done():
			return fmt.Errorf("its log never said %q", text)
		}
	}
}

// Kill ends the program as a crash would.
func (p *Process) Kill() {
	if p.Done == nil {
		return
	}
	p.Cmd.Process.Kill() // fails only if it has ended
	<-p.Done
}

// Stop ends the program as an operator would; it must exit with 0.
func (p *Process) Stop() error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done:
		return p.Err
	case <-time.After(Patience):
		p.Kill()
		return errors.New("the program did not stop")
	}
}

// Memory returns the program's resident memory now, in bytes.
func (p *Process) Memory(t testing.TB) int64 {
	t.Helper()
	return p.status(t, "VmRSS:") << 10
}

// CPU returns the processor time that the program has taken so far.
func (p *Process) CPU(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the program's name may have spaces
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // in user and in kernel mode
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Descriptors returns how many file descriptors the program has open.
func (p *Process) Descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func (p *Process) status(t testing.TB, field string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == field {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in the program's status", field)
	return 0
}

// Output is what a program has written, over all its runs.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

// NewOutput returns an empty Output.
func NewOutput() *Output { return &Output{changed: make(chan struct{})} }

// Write appends.
func (l *Output) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

// grown is closed when the log grows.
func (l *Output) grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Len returns the length in bytes.
func (l *Output) Len() int { return len(l.Since(0)) }

// Since returns what follows the first from bytes.
func (l *Output) Since(from int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text.Bytes()[from:])
}

// Tail returns the last 4 KiB.
func (l *Output) Tail() string {
	text := l.Since(0)
	return text[max(0, len(text)-4096):]
}
