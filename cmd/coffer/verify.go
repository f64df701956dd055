package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"coffer/backup"
	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/snapshot/view"
)

type verifyCommand struct {
	Name    string `arg:"" optional:"" help:"Name of the backup; of a snapshot NAME@VERSION or NAME@DATE as well."`
	All     bool   `help:"Check every version of every file."`
	Version uint32 `help:"Version to use (default: the newest)."`
	Data    slice  `placeholder:"N/T" default:"1/1" help:"Snapshots only: read only the N-th of T parts of the data, such as 1/7 on Mondays; 0/1 reads folders alone."`
	Archive bool   `help:"Check the archive of this name, if it has snapshots as well."`
	trustFlags
}

// verified is the verdict on one version, as JSON.
type verified struct {
	Name     string `json:"name"`
	Version  uint32 `json:"version"`
	Verified bool   `json:"verified"`
	Seen     bool   `json:"seen"` // by this machine before, and the same then
	Error    string `json:"error,omitempty"`

	// Of a snapshot.
	Kind      string    `json:"kind,omitempty"` // "snapshot"
	Entries   uint64    `json:"entries,omitempty"`
	Packs     uint32    `json:"packs,omitempty"`
	ReadPacks uint32    `json:"read_packs,omitempty"`
	ReadSize  uint64    `json:"read_size,omitempty"`
	Problems  []problem `json:"problems,omitempty"` // the first 1,000
}

// A problem is something of a snapshot that cannot be restored.
type problem struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

// slice is a part of the data, as "n/t".
type slice view.Slice

// UnmarshalText reads a slice.
func (s *slice) UnmarshalText(text []byte) error {
	n, of, found := strings.Cut(string(text), "/")
	part, err := strconv.ParseUint(n, 10, 32)
	parts, ofErr := strconv.ParseUint(of, 10, 32)
	if err != nil || ofErr != nil || !found || parts == 0 || part > parts {
		return fmt.Errorf("%q is not N/T, such as 1/7", text)
	}
	*s = slice{N: uint32(part), Of: uint32(parts)}
	return nil
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
		snapshot := func(snaps *snapshots, t target) error {
			v, err := c.snapshot(a, snaps, t)
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
			if c.Archive {
				return one(c.Name, c.Version)
			}
			snaps, t, ok, err := a.asSnapshot(u, c.Name, c.Version, trust)
			if err != nil {
				return err
			}
			if ok {
				return snapshot(snaps, t)
			}
			return one(c.Name, c.Version)
		}
		snaps, err := u.snapshots(0)
		if err != nil {
			return err
		}
		snaps.trust = trust
		some := false
		err = backup.Each(a.ctx, u.session, true, func(e protocol.FileEntry) error {
			audit.Entry(e)
			if e.Format == protocol.FormatSnapshot {
				some = true
				return nil
			}
			return one(e.Name, e.Version)
		})
		if err != nil || !some {
			return err
		}
		return c.snapshots(a, snaps, func(t target) error { return snapshot(snaps, t) })
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

// snapshots calls f for each snapshot that is listed now, by name, the newest
// version first.
func (c *verifyCommand) snapshots(a *app, snaps *snapshots, f func(target) error) error {
	var list []target
	err := view.List(a.ctx, snaps.repo, snaps.forReading(), "", true, func(s view.Summary, bad error) error {
		if bad != nil {
			return fmt.Errorf("a snapshot on the server is not this account's: %w", bad)
		}
		list = append(list, target{text: fmt.Sprintf("%s@%d", s.Label, s.Version), name: s.Label, version: s.Version})
		return nil
	})
	slices.SortFunc(list, func(x, y target) int { return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(y.version, x.version)) })
	for _, t := range list {
		if err == nil {
			err = f(t)
		}
	}
	return err
}

// snapshot checks a snapshot; its error is one that ends the whole command.
func (c *verifyCommand) snapshot(a *app, snaps *snapshots, t target) (verified, error) {
	if t.path != "" {
		return verified{}, fmt.Errorf("%w: a snapshot is verified as a whole: leave out :%s", program.ErrUsage, t.path)
	}
	v := verified{Name: t.name, Version: t.version, Kind: "snapshot"}
	snap, err := snaps.open(a.ctx, t)
	if err == nil {
		v.Version = snap.Number
		v.Seen, err = snaps.seen(a.ctx, t, snap)
	}
	if errors.Is(err, view.ErrNotFound) {
		return v, aboutTarget(t, err)
	}
	if err != nil {
		if a.ctx.Err() != nil || client.IsTransport(err) {
			return v, fmt.Errorf("verify %s: %w", t.text, err)
		}
		v.Error = withRemedy(err).Error()
		return v, nil
	}
	bar := program.NewBar(a.stderr, a.quiet)
	found, err := snap.Verify(a.ctx, view.Slice(c.Data), func(done, total uint64) { bar.Show("packs", int64(done), int64(total)) })
	bar.Clear()
	if err != nil {
		return v, fmt.Errorf("verify %s: %w", t.text, err)
	}
	v.Verified = found.Bad == 0
	if err := snaps.remember(a, t, snap); err != nil {
		return v, err
	}
	v.Entries, v.Packs, v.ReadPacks, v.ReadSize = found.Entries, found.Packs, found.ReadPacks, found.ReadBytes
	for _, p := range found.Problems {
		v.Problems = append(v.Problems, problem{p.Path, p.Err.Error()})
	}
	for _, id := range found.BadPacks {
		// The server is to know, so that the next backup mends it.
		if err := snaps.repo.Check(a.ctx, id); client.IsTransport(err) {
			return v, fmt.Errorf("verify %s: %w", t.text, err)
		}
	}
	if !v.Verified {
		v.Error = program.Count(found.Bad, "entry is", "entries are") + " damaged: the next backup mends what this machine still has"
		return v, nil
	}
	// The snapshot is verified even if the server does not learn of it.
	if wireName, err := snaps.wireName(a.ctx, t.name); err == nil {
		_ = snaps.repo.Verified(a.ctx, wireName, v.Version, v.ReadPacks, v.ReadSize)
	}
	return v, nil
}

func (v verified) print(a *app) error {
	for _, p := range v.Problems {
		fmt.Fprintf(a.stderr, "coffer: damaged %s: %s\n", quoted(p.Path), program.Printable(p.Error))
	}
	if v.Verified && v.Kind == "snapshot" {
		_, err := fmt.Fprintf(a.stdout, "%s, version %d: verified: %s, %d of %s read%s\n", program.Printable(v.Name), v.Version,
			program.Count(v.Entries, "entry", "entries"), v.ReadPacks, program.Count(v.Packs, "pack", "packs"), newHere(v.Seen))
		return err
	}
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
