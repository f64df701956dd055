package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// A process is a program that runs beside a test.
type process struct {
	cmd  *exec.Cmd
	log  *output
	done chan struct{} // closed when cmd has ended and err is set
	err  error
}

// run runs the command.
func (p *process) run() error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.done = make(chan struct{})
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

// await waits until the log says something after its first from bytes.
func (p *process) await(ctx context.Context, from int, text string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		grown := p.log.grown()
		if strings.Contains(p.log.since(from), text) {
			return nil
		}
		select {
		case <-grown:
		case <-p.done:
			if strings.Contains(p.log.since(from), text) {
				return nil
			}
			return fmt.Errorf("the program ended (%w) without %q", p.err, text)
		case <-ctx.Done():
			return fmt.Errorf("its log never said %q", text)
		}
	}
}

// expect is await for tests.
func (p *process) expect(t *testing.T, from int, text string) {
	t.Helper()
	if err := p.await(t.Context(), from, text); err != nil {
		t.Fatalf("%v; it ends with:\n%s", err, p.log.tail())
	}
}

// kill ends the program as a crash would.
func (p *process) kill() {
	if p.done == nil {
		return
	}
	p.cmd.Process.Kill() // fails only if it has ended
	<-p.done
}

// stop ends the program as an operator would; it must exit with 0.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.kill()
		return errors.New("the program did not stop")
	}
}

// output is what a program has written, over all its runs.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (l *output) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

// grown is closed when the log grows.
func (l *output) grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *output) length() int { return len(l.since(0)) }

func (l *output) since(from int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text.Bytes()[from:])
}

func (l *output) tail() string {
	text := l.since(0)
	return text[max(0, len(text)-4096):]
}
