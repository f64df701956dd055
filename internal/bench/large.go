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
	"syscall"
	"time"
)

// rounds is how often each way of sending a large file is timed. They take
// turns, so that what else the machine does hurts all of them.
const rounds = 3

// large is what sending one large file is measured with: the file, a core, and
// a registered client of the command line, all in one folder.
type large struct {
	*bench
	place string // "disk" or "memory"
	dir   string
	file  string
	core  *core
}

// eachPlace measures with a large file on disk, and then with one in memory.
// The core may have more flags.
func (b *bench) eachPlace(ctx context.Context, measure func(context.Context, *large) error, flags ...string) error {
	for _, place := range []struct{ name, dir string }{{"disk", b.tmp}, {"memory", b.memory}} {
		if err := b.inPlace(ctx, place.name, place.dir, measure, flags...); err != nil {
			return fmt.Errorf("%s: %w", place.name, err)
		}
	}
	return nil
}

func (b *bench) inPlace(ctx context.Context, name, parent string, measure func(context.Context, *large) error, flags ...string) (err error) {
	dir, err := os.MkdirTemp(parent, "large-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l := &large{bench: b, place: name, dir: dir, file: filepath.Join(dir, "file")}
	if err := writeRandom(l.file, b.size); err != nil {
		return err
	}
	if l.core, err = b.start(ctx, filepath.Join(dir, "data"), flags...); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.core.stop()) }()
	// Making keys is not what is measured.
	if _, err := l.coffer(ctx, "register", "--server", l.core.addr, "--name", "bench"); err != nil {
		return err
	}
	return measure(ctx, l)
}

// coffer times a command of the command line.
func (l *large) coffer(ctx context.Context, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(l.bin, "coffer"), args...)
	cmd.Env = append(os.Environ(), "COFFER_HOME="+filepath.Join(l.dir, "home"))
	return timed(cmd)
}

// openssl times openssl encrypting the file on one core.
func (l *large) openssl(ctx context.Context) (time.Duration, error) {
	zeros := strings.Repeat("0", 64)
	return timed(exec.CommandContext(ctx, "taskset", "-c", "0", "openssl", "enc", "-aes-256-cbc", "-K", zeros,
		"-iv", zeros[:32], "-in", l.file, "-out", "/dev/null"))
}

// A way is one way to get the file somewhere.
type way struct {
	name string
	run  func(context.Context) (time.Duration, error)
	took time.Duration // of all rounds
}

// compare times the ways in turns and reports their rates. None pays for what
// the one before left to write.
func (l *large) compare(ctx context.Context, ways ...*way) error {
	for range rounds {
		for _, w := range ways {
			syscall.Sync()
			took, err := w.run(ctx)
			if err != nil {
				return err
			}
			w.took += took
		}
	}
	for _, w := range ways {
		l.report(w.name+", "+l.place, float64(l.size)*rounds/w.took.Seconds()/1e6, "MB/s")
	}
	return nil
}

// reportRatio reports how many times as fast as other a way is.
func (l *large) reportRatio(w, other *way) {
	l.report(w.name+" / "+other.name+", "+l.place, other.took.Seconds()/w.took.Seconds(), "ratio")
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
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), size)
	return errors.Join(err, f.Close())
}
