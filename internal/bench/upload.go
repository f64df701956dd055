package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// upload compares `coffer backup` of one large file as a whole with openssl encrypting it
// on one core.
func (b *bench) upload(ctx context.Context) error {
	return b.eachPlace(ctx, func(ctx context.Context, l *large) error {
		openssl := &way{name: "openssl enc", run: l.openssl}
		copied := &way{name: "synced copy", run: l.copy}
		plain := &way{name: "backup --no-seal", run: func(ctx context.Context) (time.Duration, error) {
			return l.coffer(ctx, "backup", l.file, "--no-seal")
		}}
		sealed := &way{name: "backup --archive", run: func(ctx context.Context) (time.Duration, error) {
			return l.coffer(ctx, "backup", l.file, "--archive") // a second snapshot would send nothing
		}}
		if err := l.compare(ctx, openssl, copied, plain, sealed); err != nil {
			return err
		}
		l.reportRatio(plain, openssl)
		l.reportRatio(sealed, openssl)
		return nil
	})
}

// copy measures the cost of storing alone.
func (l *large) copy(ctx context.Context) (time.Duration, error) {
	target := filepath.Join(l.dir, "copy")
	took, err := timed(exec.CommandContext(ctx, "dd", "if="+l.file, "of="+target, "bs=256k", "conv=fdatasync"))
	return took, errors.Join(err, os.Remove(target))
}
