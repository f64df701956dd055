package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// idleConnections measures what a connection that does nothing costs the core.
func (b *bench) idleConnections(ctx context.Context) (err error) {
	const n = 5000
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1 << 14, Max: 1 << 14}); err != nil {
		return err
	}
	dir := filepath.Join(b.tmp, "idle")
	defer os.RemoveAll(dir)
	core, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.stop()) }()
	before, err := core.memory("VmRSS")
	if err != nil {
		return err
	}
	for range n {
		nc, err := net.Dial("tcp", core.addr)
		if err != nil {
			return err
		}
		defer nc.Close()
	}
	// The last connections are accepted a moment after they are made.
	var after, last float64
	for range 20 {
		if after, err = core.memory("VmRSS"); err != nil {
			return err
		}
		if after == last {
			break
		}
		last = after
		time.Sleep(250 * time.Millisecond)
	}
	b.report("memory of an idle connection, of 5,000", (after-before)/n/1024, "KiB")
	return nil
}
