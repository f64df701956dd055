package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"coffer/internal/program"
	"coffer/snapshot/mount"
	"coffer/snapshot/view"
)

type mountCommand struct {
	Folder     string `arg:"" type:"existingdir" help:"Empty folder to mount at."`
	AllowOther bool   `help:"Give other users access, as far as the modes of files and folders allow."`
	Trust      bool   `help:"Honor setuid bits and devices. Needs root."`
}

// Run shows the snapshots as a folder until it is interrupted.
func (c *mountCommand) Run(a *app) error {
	if runtime.GOOS != "linux" {
		return mount.ErrUnsupported
	}
	if c.Trust && os.Geteuid() != 0 {
		return fmt.Errorf("%w: --trust needs root", program.ErrUsage)
	}
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	say := a.sayer()
	foreign := new(sync.Map) // versions that were named
	opened := func(s *view.Snapshot) error {
		_, err := snaps.seen(a.ctx, target{name: s.Label, version: s.Number}, s)
		return err
	}
	library := mount.Account(snaps.repo, snaps.forReading(), opened, func(v view.Listed, err error) {
		if _, said := foreign.LoadOrStore(fmt.Sprint(v.Name, " ", v.Version), true); !said {
			say("version %d of %s was not written with this account's keys: %v", v.Version, v.Name, err)
		}
	})
	compared := comparedLibrary{library, sync.OnceValue(func() error { return a.compareList(u) })}
	return mount.Serve(a.ctx, compared, c.Folder, mount.Options{
		AllowOther: c.AllowOther,
		Trust:      c.Trust,
		Failed:     func(path string, err error) { say("read %s: %v", path, err) },
		Ready:      func() { c.ready(a) },
		Busy: func() <-chan os.Signal {
			say("%s is in use: it is unmounted, and this ends when nobody uses it any more; interrupt again to end now", c.Folder)
			again := make(chan os.Signal, 1)
			signal.Notify(again, os.Interrupt, syscall.SIGTERM)
			return again
		},
	})
}

// A comparedLibrary shows nothing if the server's list is not what this machine
// has seen.
type comparedLibrary struct {
	mount.Library
	compare func() error
}

// Versions lists the snapshots.
func (l comparedLibrary) Versions(ctx context.Context, f func(mount.Version) error) error {
	if err := l.compare(); err != nil {
		return err
	}
	return l.Library.Versions(ctx, f)
}

func (c *mountCommand) ready(a *app) {
	if a.json {
		// Nobody may be reading: the mount is there all the same.
		_ = a.printJSON(map[string]string{"mounted": c.Folder})
		return
	}
	if !a.quiet {
		fmt.Fprintf(a.stdout, "mounted at %s: press Ctrl-C, or unmount the folder, to end\n", program.Printable(c.Folder))
	}
}

// sayer prints lines on standard error, for several goroutines.
func (a *app) sayer() func(format string, args ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(a.stderr, "coffer: %s\n", program.Printable(fmt.Sprintf(format, args...)))
	}
}
