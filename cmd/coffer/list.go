package main

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"coffer/backup"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/seal"
	"coffer/snapshot/view"
)

// trustFlags say what is taken from a server, or an export, against the better
// judgement of the client.
type trustFlags struct {
	AcceptUnsealed bool `name:"accept-unsealed" help:"Accept content that is not encrypted: the server could have forged it."`
	olderFlag
}

// olderFlag says whether a version is taken that is not what this machine has
// seen.
type olderFlag struct {
	AcceptOlder bool `name:"accept-older" help:"Accept a version that is older than, or differs from, the one this machine has seen, and continue from it."`
}

func (f trustFlags) trust(m backup.Memory) backup.Trust {
	return backup.Trust{Memory: m, AcceptUnsealed: f.AcceptUnsealed, AcceptOlder: f.AcceptOlder}
}

type listCommand struct {
	Name        string `arg:"" optional:"" help:"Backup whose versions to list."`
	Versions    bool   `help:"List all versions, not just the newest."`
	AcceptOlder bool   `name:"accept-older" help:"Accept the list even if it lacks names or newer versions that this machine has seen."`
}

// listed is a version of a file as JSON.
type listed struct {
	Name     string    `json:"name"`
	Version  uint32    `json:"version"`
	Size     *uint64   `json:"size,omitempty"` // of your own data; absent where this machine does not know it
	Stored   uint64    `json:"stored_size"`
	Cksum    uint32    `json:"cksum"`
	SHA256   string    `json:"sha256"`
	Created  time.Time `json:"created"`
	Verified bool      `json:"verified"`
	Sealed   bool      `json:"sealed"`
	Kind     string    `json:"kind"`
	Seen     bool      `json:"seen"` // by this machine, and the same then

	// Of a snapshot.
	Files   *uint64  `json:"files,omitempty"`
	Added   *uint64  `json:"added,omitempty"` // bytes of content that were new
	LeftOut uint64   `json:"left_out,omitempty"`
	Damaged uint32   `json:"damaged_packs,omitempty"`
	Source  string   `json:"source,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	Machine string   `json:"machine,omitempty"` // that sent it; absent: the owner
	Foreign bool     `json:"foreign,omitempty"` // not written with this account's keys
}

func describe(e protocol.FileEntry) listed {
	return listed{
		Name: e.Name, Version: e.Version, Stored: e.Size, Cksum: e.Cksum,
		SHA256: hex.EncodeToString(e.SHA256[:]), Created: e.Created, Verified: e.Verified,
		Sealed: backup.IsSealed(e.Format) || e.Format == protocol.FormatSnapshot, Kind: kind(e.Format),
	}
}

// listing is an entry with what this machine knows of it.
func listing(e protocol.FileEntry, id *seal.Identity, seen backup.Seen, known bool) listed {
	l := describe(e)
	l.Seen = known
	size, ok := e.OriginalSize, true
	switch {
	case known && seen.Size > 0:
		size = seen.Size
	case e.Format == protocol.FormatSealedFile:
		size, ok = id.ContentSize(e.OriginalSize)
	case backup.IsFolder(e.Format):
		ok = false // an archive's size is not that of what is in it
	}
	if ok {
		l.Size = &size
	}
	return l
}

func kind(f protocol.Format) string {
	switch f {
	case protocol.FormatFile, protocol.FormatSealedFile:
		return "file"
	case protocol.FormatFolder, protocol.FormatSealedFolder:
		return "folder"
	case protocol.FormatSnapshot:
		return "snapshot"
	}
	return "unknown"
}

func (c *listCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	u, err := a.openUser()
	if err != nil {
		return err
	}
	defer u.session.Close()
	audit, err := backup.Trust{Memory: u.memory, AcceptOlder: c.AcceptOlder}.Audit()
	if err != nil {
		return err
	}
	found := false
	each := func(print func(listed) error) error {
		var stored []protocol.FileEntry // snapshots, by their names on the wire
		err := backup.Each(a.ctx, u.session, c.Versions || c.Name != "", func(e protocol.FileEntry) error {
			seen, known := audit.Entry(e)
			if e.Format == protocol.FormatSnapshot {
				stored = append(stored, e)
				return nil
			}
			if c.Name != "" && c.Name != e.Name {
				return nil
			}
			found = true
			return print(listing(e, u.identity, seen, known))
		})
		if err != nil || len(stored) == 0 {
			return err
		}
		return c.snapshots(a, u, audit, stored, func(l listed) error {
			found = true
			return print(l)
		})
	}
	if a.json {
		err = a.printArray(func(print func(any) error) error {
			return each(func(l listed) error { return print(l) })
		})
	} else {
		err = a.printTable(each)
	}
	if err != nil {
		return err
	}
	if c.Name != "" && !found {
		return noBackup(c.Name, 0)
	}
	alarm, err := a.alarm(audit)
	if err != nil {
		return err
	}
	return alarm
}

// snapshots lists snapshots by the names that their owner knows them by.
func (c *listCommand) snapshots(a *app, u *user, audit *backup.Audit, stored []protocol.FileEntry, print func(listed) error) error {
	snaps, err := u.snapshots(0)
	if err != nil {
		return err
	}
	type version struct {
		name   string
		number uint32
	}
	entries := map[version]protocol.FileEntry{}
	for _, e := range stored {
		entries[version{e.Name, e.Version}] = e
	}
	var list []listed
	err = view.List(a.ctx, snaps.repo, snaps.forReading(), c.Name, c.Versions || c.Name != "", func(s view.Summary, bad error) error {
		e, ok := entries[version{s.Listed.Name, s.Version}]
		if !ok {
			return nil // it came after the list
		}
		l := describe(e)
		l.Foreign, l.Damaged = bad != nil, s.Damaged
		if bad == nil {
			l.Machine = s.From
			l.Name, l.Size, l.Files, l.Added = s.Label, &s.Bytes, &s.Files, &s.Added
			l.LeftOut, l.Source, l.Tags, l.Stored, l.Created = s.Unreadable, s.Source, s.Tags, s.PackBytes, s.Start
			_, l.Seen = audit.Seen(e)
		}
		list = append(list, l)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(x, y listed) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(y.Version, x.Version)) })
	for _, l := range list {
		if err := print(l); err != nil {
			return err
		}
	}
	return nil
}

// compareList fails if the server's list is not what this machine has seen.
func (a *app) compareList(u *user) error {
	audit, err := backup.Trust{Memory: u.memory}.Audit()
	if err != nil {
		return err
	}
	err = backup.Each(a.ctx, u.session, true, func(e protocol.FileEntry) error {
		audit.Entry(e)
		return nil
	})
	if err != nil {
		return err
	}
	alarm, err := a.alarm(audit)
	return cmp.Or(err, alarm)
}

// alarm prints a line for each name that is not what this machine has seen.
// What was listed stays listed: the alarm is an incomplete.
func (a *app) alarm(audit *backup.Audit) (alarm, err error) {
	found, err := audit.Finish()
	if err != nil {
		return nil, fmt.Errorf("record the list: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	for _, one := range found {
		one.Name = audit.Label(one.Name)
		fmt.Fprintf(a.stderr, "coffer: %s\n", program.Printable(one.Error()))
	}
	return incomplete(program.Count(len(found), "backup is", "backups are") + " different from what this machine has seen. " +
		"If you did that on another machine, coffer list --accept-older accepts the list and continues from it"), nil
}

// printTable prints a list for people. How much is in a folder only its archive
// tells, which is sealed: until this machine has restored it, that is a dash.
func (a *app) printTable(each func(print func(listed) error) error) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tSIZE\tSTORED\tCREATED\tKIND\tSEALED\tDETAILS")
	unknown := false
	err := each(func(l listed) error {
		size := "-"
		unknown = unknown || l.Size == nil
		if l.Size != nil {
			size = program.Size(*l.Size)
		}
		_, err := fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", program.Printable(l.Name), l.Version, size, program.Size(l.Stored),
			l.Created.Local().Format(time.DateTime), l.Kind, sealed(l.Sealed), l.last())
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if err == nil && unknown && !a.quiet {
		_, err = fmt.Fprintln(a.stderr, "SIZE -: the size of a folder is encrypted. This machine knows it after backing up or restoring the folder.")
	}
	return err
}

// sealed marks what is not.
func sealed(is bool) string {
	if is {
		return "yes"
	}
	return "NO"
}

// last is the last column: a checksum, or what there is to say of a snapshot.
func (l *listed) last() string {
	switch {
	case l.Kind != "snapshot":
		return program.Checksum(l.Cksum)
	case l.Foreign:
		return "NOT WRITTEN WITH THIS ACCOUNT'S KEYS"
	}
	text := program.Count(*l.Files, "file", "files") + ", " + program.Size(*l.Added) + " added"
	if l.Machine != "" {
		text += ", from " + program.Printable(l.Machine)
	}
	if l.LeftOut > 0 {
		text += fmt.Sprintf(", %d LEFT OUT", l.LeftOut)
	}
	if l.Damaged > 0 {
		text += ", DAMAGED"
	}
	return text
}
