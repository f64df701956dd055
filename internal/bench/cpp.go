package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// cppUpload compares coffer-cpp with `coffer backup --no-seal`, which sends the
// same bytes, and both with openssl encrypting them on one core.
func (b *bench) cppUpload(ctx context.Context) error {
	program := filepath.Join(b.bin, "coffer-cpp")
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: make cpp builds it", err)
	}
	return b.eachPlace(ctx, func(ctx context.Context, l *large) error {
		cpp := func(ctx context.Context, file string) (time.Duration, error) {
			batch := l.core.addr + "\nbench C++\n" + file + "\n"
			if err := os.WriteFile(filepath.Join(l.dir, "transfer.info"), []byte(batch), 0o600); err != nil {
				return 0, err
			}
			cmd := exec.CommandContext(ctx, program)
			cmd.Dir = l.dir
			return timed(cmd)
		}
		// The first time it registers and makes its keys.
		if _, err := cpp(ctx, "transfer.info"); err != nil {
			return err
		}
		openssl := &way{name: "openssl enc beside coffer-cpp", run: l.openssl}
		plain := &way{name: "backup --no-seal beside coffer-cpp", run: func(ctx context.Context) (time.Duration, error) {
			return l.coffer(ctx, "backup", l.file, "--no-seal")
		}}
		sent := &way{name: "coffer-cpp", run: func(ctx context.Context) (time.Duration, error) { return cpp(ctx, "file") }}
		if err := l.compare(ctx, openssl, plain, sent); err != nil {
			return err
		}
		l.reportRatio(sent, plain)
		l.reportRatio(sent, openssl)
		return nil
	})
}
