package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// upload compares `coffer backup` of one large file with openssl encrypting it
// on one core.
func (b *bench) upload(ctx context.Context) error {
	for _, place := range []struct{ name, dir string }{{"disk", b.tmp}, {"memory", b.memory}} {
		dir, err := os.MkdirTemp(place.dir, "upload-")
		if err != nil {
			return err
		}
		if err := b.uploadIn(ctx, place.name, dir); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) uploadIn(ctx context.Context, place, dir string) (err error) {
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
	if _, err := coffer("register", "--server", core.addr, "--name", "bench"); err != nil {
		return err
	}
	zeros := strings.Repeat("0", 64)
	var openssl, copied, plain, sealed time.Duration
	const rounds = 3
	for range rounds {
		o, err := timed(exec.CommandContext(ctx, "taskset", "-c", "0", "openssl", "enc", "-aes-256-cbc", "-K", zeros,
			"-iv", zeros[:32], "-in", file, "-out", "/dev/null"))
		if err != nil {
			return err
		}
		// Storing costs what a synced copy costs, whoever does it.
		target := filepath.Join(dir, "copy")
		d, err := timed(exec.CommandContext(ctx, "dd", "if="+file, "of="+target, "bs=256k", "conv=fdatasync"))
		if err := errors.Join(err, os.Remove(target)); err != nil {
			return err
		}
		p, err := coffer("backup", file, "--no-seal")
		if err != nil {
			return err
		}
		s, err := coffer("backup", file)
		if err != nil {
			return err
		}
		openssl, copied, plain, sealed = openssl+o, copied+d, plain+p, sealed+s
	}
	rate := func(d time.Duration) float64 { return float64(b.size) * rounds / d.Seconds() / 1e6 }
	b.report("openssl enc, "+place, rate(openssl), "MB/s")
	b.report("synced copy, "+place, rate(copied), "MB/s")
	b.report("backup --no-seal, "+place, rate(plain), "MB/s")
	b.report("backup, "+place, rate(sealed), "MB/s")
	b.report("backup --no-seal / openssl, "+place, openssl.Seconds()/plain.Seconds(), "ratio")
	b.report("backup / openssl, "+place, openssl.Seconds()/sealed.Seconds(), "ratio")
	return nil
}

func timed(cmd *exec.Cmd) (time.Duration, error) {
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out)
	}
	return time.Since(began), nil
}

func writeRandom(name string, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), size); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
