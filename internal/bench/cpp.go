package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cppUpload compares coffer-cpp with `coffer backup --no-seal`, which sends the
// same bytes, and both with openssl encrypting them on one core.
func (b *bench) cppUpload(ctx context.Context) error {
	for _, place := range []struct{ name, dir string }{{"disk", b.tmp}, {"memory", b.memory}} {
		dir, err := os.MkdirTemp(place.dir, "cpp-")
		if err != nil {
			return err
		}
		if err := errors.Join(b.cppUploadIn(ctx, place.name, dir), os.RemoveAll(dir)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) cppUploadIn(ctx context.Context, place, dir string) (err error) {
	program := filepath.Join(b.bin, "coffer-cpp")
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: make cpp builds it", err)
	}
	file := filepath.Join(dir, "file")
	if err := writeRandom(file, b.size); err != nil {
		return err
	}
	core, err := b.start(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := core.stop(); err == nil {
			err = stopErr
		}
	}()
	coffer := func(args ...string) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "coffer"), args...)
		cmd.Env = append(os.Environ(), "COFFER_HOME="+filepath.Join(dir, "home"))
		return timed(cmd)
	}
	cpp := func(what string) (time.Duration, error) {
		batch := core.addr + "\nbench C++\n" + what + "\n"
		if err := os.WriteFile(filepath.Join(dir, "transfer.info"), []byte(batch), 0o600); err != nil {
			return 0, err
		}
		cmd := exec.CommandContext(ctx, program)
		cmd.Dir = dir
		return timed(cmd)
	}
	// No one pays for what the one before left to write.
	settled := func(cmd func() (time.Duration, error)) (time.Duration, error) {
		syscall.Sync()
		return cmd()
	}
	// Both register first: making keys is not what is measured.
	if _, err := coffer("register", "--server", core.addr, "--name", "bench"); err != nil {
		return err
	}
	if _, err := cpp("transfer.info"); err != nil {
		return err
	}
	zeros := strings.Repeat("0", 64)
	var openssl, plain, sent time.Duration
	const rounds = 3
	for range rounds {
		o, err := timed(exec.CommandContext(ctx, "taskset", "-c", "0", "openssl", "enc", "-aes-256-cbc", "-K", zeros,
			"-iv", zeros[:32], "-in", file, "-out", "/dev/null"))
		if err != nil {
			return err
		}
		p, err := settled(func() (time.Duration, error) { return coffer("backup", file, "--no-seal") })
		if err != nil {
			return err
		}
		s, err := settled(func() (time.Duration, error) { return cpp("file") })
		if err != nil {
			return err
		}
		openssl, plain, sent = openssl+o, plain+p, sent+s
	}
	rate := func(d time.Duration) float64 { return float64(b.size) * rounds / d.Seconds() / 1e6 }
	b.report("openssl enc beside coffer-cpp, "+place, rate(openssl), "MB/s")
	b.report("backup --no-seal beside coffer-cpp, "+place, rate(plain), "MB/s")
	b.report("coffer-cpp, "+place, rate(sent), "MB/s")
	b.report("coffer-cpp / backup --no-seal, "+place, plain.Seconds()/sent.Seconds(), "ratio")
	b.report("coffer-cpp / openssl, "+place, openssl.Seconds()/sent.Seconds(), "ratio")
	return nil
}
