//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Serve mounts a library in an empty folder, and returns once it is unmounted:
// because ctx ended, or by another program.
func Serve(ctx context.Context, lib Library, dir string, opts Options) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := usable(dir); err != nil {
		return err
	}
	fetching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	return newTree(fetching, lib, opts).serve(ctx, dir, opts, stop)
}

// serve is Serve in a folder that is usable. It calls stop to end what is still
// being fetched.
func (t *tree) serve(ctx context.Context, dir string, opts Options, stop func()) error {
	if _, err := t.shelf(); err != nil {
		return fmt.Errorf("list the snapshots: %w", err)
	}
	server, direct, err := t.mount(dir, opts)
	if err != nil {
		return fmt.Errorf("mount at %s: %w", dir, err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve()
	}()
	var pruning sync.WaitGroup
	pruning.Go(func() { t.known.run(served) })
	if err = server.WaitMount(); err == nil && opts.Ready != nil {
		opts.Ready()
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case <-served:
		}
	}
	if err = errors.Join(err, unmount(server, dir, direct, served, opts)); errors.Is(err, ErrBusy) {
		return err // whoever uses it still asks
	}
	stop()
	pruning.Wait()
	t.trees.wait()
	t.data.wait()
	return err
}

// usable refuses a folder in which nothing can be mounted, or would hide
// something.
func usable(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, syscall.ENOTCONN):
		return fmt.Errorf("%s is a mount whose program has ended: unmount it with umount, or fusermount3 -u", dir)
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty, or something is mounted there: choose an empty folder", dir)
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		if errors.Is(err, iofs.ErrNotExist) {
			err = errors.New("there is no /dev/fuse: load the kernel's module with modprobe fuse, or pass the device to the container")
		}
		return err
	}
	return nil
}

// mount mounts directly where it may, and with the system's program elsewhere.
func (t *tree) mount(dir string, opts Options) (server *fuse.Server, direct bool, err error) {
	zero := time.Duration(0)
	timeout := time.Second
	options := &fs.Options{EntryTimeout: &timeout, AttrTimeout: &timeout, NegativeTimeout: &zero, NullPermissions: true,
		RootStableAttr: &fs.StableAttr{Ino: rootIno}}
	options.MountOptions = fuse.MountOptions{
		AllowOther: opts.AllowOther, FsName: "coffer", Name: "coffer", DisableReadDirPlus: true,
		Logger: log.New(io.Discard, "", 0), // what matters is an error as well
	}
	if opts.AllowOther {
		options.Options = append(options.Options, "default_permissions")
	}
	_, missing := exec.LookPath("fusermount3")
	if os.Geteuid() == 0 {
		options.DirectMountStrict = true
		options.DirectMountFlags = unix.MS_RDONLY
		if !opts.Trust {
			options.DirectMountFlags |= unix.MS_NOSUID | unix.MS_NODEV
		}
		server, err := fuse.NewServer(fs.NewNodeFS(t.root, options), dir, &options.MountOptions)
		if !errors.Is(err, syscall.EPERM) || missing != nil || opts.Trust {
			return server, true, err
		}
		options.DirectMountStrict, options.DirectMountFlags = false, 0
	}
	if missing != nil {
		return nil, false, errors.New("the program fusermount3 is missing: install the system's package fuse3")
	}
	options.Options = append(options.Options, "ro")
	server, err = fuse.NewServer(fs.NewNodeFS(t.root, options), dir, &options.MountOptions)
	if err != nil && opts.AllowOther {
		err = fmt.Errorf("%w (other users need the line user_allow_other in /etc/fuse.conf)", err)
	}
	return server, false, err
}

// unmount unmounts what no program uses. A folder that is in use is detached:
// no path leads to it any more, and programs that use it can go on.
func unmount(server *fuse.Server, dir string, direct bool, served <-chan struct{}, opts Options) error {
	select {
	case <-served:
		return nil
	default:
	}
	if err := server.Unmount(); err == nil {
		<-served
		return nil
	}
	var err error
	if direct {
		err = unix.Unmount(dir, unix.MNT_DETACH)
	} else {
		err = exec.Command("fusermount3", "-u", "-z", dir).Run()
	}
	if errors.Is(err, syscall.EINVAL) { // another program has unmounted it
		<-served
		return nil
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	var abandon <-chan os.Signal
	if opts.Busy != nil {
		abandon = opts.Busy()
	}
	select {
	case <-served:
		return nil
	case <-abandon:
		return fmt.Errorf("unmount %s: %w", dir, ErrBusy)
	}
}
