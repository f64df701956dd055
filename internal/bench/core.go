package main

import (
	"bufio"
	"context"
	"encoding/hex"
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

	"coffer/protocol/crypt"
)

// coreSecret is what core and gateways of a measurement share.
var coreSecret = crypt.CoreSecret{0: 1, 31: 1}

// process is a running program.
type process struct {
	cmd  *exec.Cmd
	took time.Duration // from its start until it accepts
}

// core is a running server.
type core struct {
	process
	addr     string
	internal string // the gateway's address
	dir      string
}

// start starts a core on a data folder, with more flags if need be.
func (b *bench) start(ctx context.Context, dir string, flags ...string) (*core, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	internal, err := freeAddress()
	if err != nil {
		return nil, err
	}
	c := &core{addr: addr, internal: internal, dir: dir}
	args := []string{"--data", dir, "--listen", addr,
		"--internal-listen", internal, "--console-listen", "", "--max-connections", "8192", "--max-connections-per-address", "0", "--max-uploads", "0", "--max-uploads-per-address", "0", "--unproven-timeout", "0", "--registration-rate", "0", "--idle-timeout", "10m", "--log-level", "warn"}
	c.cmd = exec.CommandContext(ctx, filepath.Join(b.bin, "coffer-server"), append(args, flags...)...)
	c.cmd.Env = append(os.Environ(), "COFFER_CORE_SECRET="+hex.EncodeToString(coreSecret[:]))
	if err := c.start(addr); err != nil {
		return nil, err
	}
	return c, nil
}

// start starts the program and waits until it listens at addr.
func (p *process) start(addr string) error {
	p.cmd.Stderr = os.Stderr
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			p.took = time.Since(began)
			return nc.Close()
		}
		if time.Since(began) > 5*time.Minute {
			return errors.Join(fmt.Errorf("%s does not listen: %w", filepath.Base(p.cmd.Path), err), p.stop())
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// memory reads a figure of the process, in bytes: VmHWM is its peak resident
// memory, VmRSS the resident memory now.
func (p *process) memory(key string) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
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

// cpu is the processor time that the process has taken.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is a name in parentheses; after it the third begins.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("the process's times are not where they should be")
	}
	const tick = 10 * time.Millisecond // of Linux, as it shows times
	var ticks time.Duration
	for _, field := range fields[11:13] { // in user and in system mode
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += time.Duration(n)
	}
	return ticks * tick, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
