package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"coffer/backup"
	"coffer/client"
	"coffer/internal/program"
)

type removeCommand struct {
	Name    string `arg:"" help:"Name of the backup on the server."`
	Version uint32 `help:"Version to remove (default: all)."`
	Archive bool   `help:"Remove the archives of this name, if it has snapshots as well."`
	Yes     bool   `help:"Do not ask for confirmation; required without a terminal."`
}

func (c *removeCommand) Run(a *app) error {
	u, err := a.openUser()
	if err != nil {
		return err
	}
	defer u.session.Close()
	what := fmt.Sprintf("version %d of %s", c.Version, program.Printable(c.Name))
	if t, err := parseTarget(c.Name); err == nil && t.version > 0 {
		what = program.Printable(c.Name)
	} else if c.Version == 0 {
		what = fmt.Sprintf("%s, all versions", program.Printable(c.Name))
	}
	if !c.Yes {
		if err := a.confirm("permanently remove " + what + "?"); err != nil {
			return err
		}
	}
	name := c.Name // on the wire
	removesSnapshot := false
	if !c.Archive {
		snaps, t, ok, err := a.asSnapshot(u, c.Name, c.Version, backup.Trust{})
		if err != nil {
			return err
		}
		if ok {
			if t.path != "" || !t.until.IsZero() {
				return fmt.Errorf("%w: a snapshot is removed as a whole, by NAME or NAME@VERSION", program.ErrUsage)
			}
			removesSnapshot = true
			if name, err = snaps.wireName(a.ctx, t.name); err != nil {
				return err
			}
			c.Name, c.Version = t.name, t.version
		}
	}
	err = u.session.Do(a.ctx, func(conn *client.Conn) error {
		return conn.DeleteFile(a.ctx, u.session.Client(), name, c.Version)
	})
	if err != nil {
		return about("remove", c.Name, c.Version, err)
	}
	a.remembers(backup.Trust{Memory: u.memory}.Forget(name, c.Version))
	if removesSnapshot && c.Version == 0 {
		if err := a.sayArchivesStay(u, c.Name); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(map[string]any{"name": c.Name, "version": c.Version, "removed": true})
	}
	_, err = fmt.Fprintf(a.stdout, "removed %s\n", what)
	return err
}

// confirm asks on the terminal whether to go on.
func (a *app) confirm(question string) error {
	terminal, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return fmt.Errorf("%w: no terminal to ask on: %s (--yes skips the question)", program.ErrUsage, strings.TrimSuffix(question, "?"))
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(interruptible(a.ctx, terminal)).ReadString('\n')
	if err != nil {
		fmt.Fprintln(a.stderr)
		return fmt.Errorf("ask: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errNotConfirmed
}

// remembers says that what was done could not be noted. It is no reason to fail:
// the thing was done.
func (a *app) remembers(err error) {
	if err != nil {
		fmt.Fprintf(a.stderr, "coffer: failed to record this: %s\n", program.Printable(err.Error()))
	}
}
