package main

import (
	"fmt"

	"coffer/backup"
	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
)

type verifyCommand struct {
	Name    string `arg:"" optional:"" help:"Name of the backup on the server."`
	All     bool   `help:"Check every version of every file."`
	Version uint32 `help:"Version to use (default: the newest)."`
	trustFlags
}

// verified is the verdict on one version, as JSON.
type verified struct {
	Name     string `json:"name"`
	Version  uint32 `json:"version"`
	Verified bool   `json:"verified"`
	Seen     bool   `json:"seen"` // by this machine before, and the same then
	Error    string `json:"error,omitempty"`
}

func (c *verifyCommand) Run(a *app) error {
	if c.All == (c.Name != "") {
		return fmt.Errorf("%w: verify needs a NAME or --all", program.ErrUsage)
	}
	u, err := a.openUser()
	if err != nil {
		return err
	}
	defer u.session.Close()
	trust := c.trust(u.memory)
	audit, err := trust.Audit()
	if err != nil {
		return err
	}
	checked, bad := 0, 0
	all := func(print func(any) error) error {
		one := func(name string, version uint32) error {
			v, err := c.one(a, u, trust, name, version)
			if err != nil {
				return err
			}
			checked++
			if !v.Verified {
				bad++
			}
			return print(v)
		}
		if !c.All {
			return one(c.Name, c.Version)
		}
		return backup.Each(a.ctx, u.session, true, func(e protocol.FileEntry) error {
			audit.Entry(e)
			return one(e.Name, e.Version)
		})
	}
	if a.json {
		err = a.printArray(all)
	} else {
		err = all(func(v any) error { return v.(verified).print(a) })
	}
	if err != nil {
		return err
	}
	var alarm error
	if c.All {
		if alarm, err = a.alarm(audit); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d versions cannot be restored", bad, checked)
	}
	return alarm
}

// one checks a version; its error is one that ends the whole command.
func (c *verifyCommand) one(a *app, u *user, trust backup.Trust, name string, version uint32) (verified, error) {
	bar := program.NewBar(a.stderr, a.quiet)
	info, err := backup.Verify(a.ctx, u.session, name, version, u.identity, trust, bar.Show)
	bar.Clear()
	v := verified{Name: name, Version: version, Verified: err == nil}
	if info != nil {
		v.Version, v.Seen = info.Version, info.Seen
	}
	if err == nil {
		return v, nil
	}
	if info == nil || a.ctx.Err() != nil || client.IsTransport(err) {
		return v, about("verify", name, version, err)
	}
	v.Error = withRemedy(err).Error()
	return v, nil
}

func (v verified) print(a *app) error {
	if v.Verified {
		_, err := fmt.Fprintf(a.stdout, "%s, version %d: verified%s\n", program.Printable(v.Name), v.Version, newHere(v.Seen))
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s, version %d: NOT RESTORABLE: %s\n", program.Printable(v.Name), v.Version, program.Printable(v.Error))
	return err
}

// newHere marks what only the server says is what it is called: nothing in what
// is sealed says its name and version.
func newHere(seen bool) string {
	if seen {
		return ""
	}
	return ", new to this machine"
}
