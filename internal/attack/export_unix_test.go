//go:build unix

package attack

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"coffer/export"
	"coffer/internal/stack"
	"coffer/protocol"
)

// Pipes in an export keep nobody waiting, be they content or manifest.
func TestExportOfPipes(t *testing.T) {
	p, h := leaving(t)
	v := h.forge(t, "a", 1, protocol.FormatFile, []byte("x"))
	folder := exportOf(t, v)
	for _, path := range []string{export.ContentPath(folder, v.info.SHA256), filepath.Join(folder, export.ManifestName)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"a", "-o", "out"}, {"a", "-o", "-"}, {"--all", "-o", "all"}} {
			if _, stderr, code := p.Run(t, append([]string{"restore", "--from-export", folder, "--accept-unsealed"}, args...)...); code != 1 {
				t.Errorf("%q: exit code %d\n%s", args, code, stderr)
			}
		}
	}
}

// Whatever ends a restore, no plaintext stays behind.
func TestHangupLeavesNothing(t *testing.T) {
	core := stack.NewCore(t)
	p := stack.Register(t, core.Addr, "ada")
	h := turn(t, p)
	v := h.forge(t, "big", 1, protocol.FormatFile, nil)
	v.info.OriginalSize, v.info.Size = 4<<30, 4<<30+16 // more than is sent before the signal
	h.mu.Lock()
	h.files["big"] = []stored{v}
	h.endless = true
	h.mu.Unlock()
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT} {
		if signal.Ignored(sig) {
			continue // the test was started with it ignored, as under nohup, and so are its programs
		}
		cmd := p.Command(t, "restore", "big", "--accept-unsealed", "-o", "out")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for begun := false; !begun; { // until there is something to leave behind
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			case <-time.After(5 * time.Millisecond):
			}
			names, err := filepath.Glob(filepath.Join(p.Dir, ".out.coffer-*"))
			begun = err != nil || len(names) > 0
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		<-ended
		if found := written(t, p.Dir); cmd.ProcessState.ExitCode() != 130 || len(found) > 0 {
			t.Errorf("%v: %v, left behind: %q", sig, cmd.ProcessState, strings.Join(found, " "))
		}
	}
}
