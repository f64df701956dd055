package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// core is a running server.
type core struct {
	cmd  *exec.Cmd
	addr string
	dir  string
	took time.Duration // from its start until it accepts
}

// start starts a core on a data folder.
func (b *bench) start(ctx context.Context, dir string) (*core, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	internal, err := freeAddress()
	if err != nil {
		return nil, err
	}
	c := &core{addr: addr, dir: dir}
	c.cmd = exec.CommandContext(ctx, filepath.Join(b.bin, "coffer-server"), "--data", dir, "--listen", addr,
		"--internal-listen", internal, "--max-connections", "8192", "--idle-timeout", "10m", "--log-level", "warn")
	c.cmd.Stderr = os.Stderr
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			c.took = time.Since(began)
			return c, nc.Close()
		}
		if time.Since(began) > 5*time.Minute {
			return nil, errors.Join(fmt.Errorf("the core does not listen: %w", err), c.stop())
		}
		time.Sleep(time.Millisecond)
	}
}

func (c *core) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return c.cmd.Wait()
}

// memory reads a figure of the process, in bytes: VmHWM is its peak resident
// memory, VmRSS the resident memory now.
func (c *core) memory(key string) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), key+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(text)[0])
			return float64(kb) * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in the process's status", key)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
