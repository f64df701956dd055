package main

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"coffer/internal/program"
	"coffer/snapshot"
	"coffer/snapshot/view"
)

type statsCommand struct {
	Name string `arg:"" optional:"" help:"Name of the backup (default: all that have snapshots)."`
}

// statJSON is what the snapshots of a name hold, as JSON.
type statJSON struct {
	Name      string    `json:"name"`
	Source    string    `json:"source"`
	Versions  uint64    `json:"versions"`
	Newest    uint32    `json:"newest"`
	Files     uint64    `json:"files"` // of the newest
	Size      uint64    `json:"size"`  // of the newest
	Added     uint64    `json:"added"` // by all that there are
	Packs     uint32    `json:"packs"` // that the newest needs
	PackBytes uint64    `json:"pack_size"`
	Damaged   uint32    `json:"damaged_packs"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

func (c *statsCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	var list []statJSON
	err = view.List(a.ctx, snaps.repo, snaps.forReading(), c.Name, true, func(s view.Summary, bad error) error {
		if bad != nil {
			return nil // coffer list says so
		}
		if n := len(list); n == 0 || list[n-1].Name != s.Label { // the newest comes first
			list = append(list, statJSON{Name: s.Label, Source: s.Source, Newest: s.Version, Files: s.Files, Size: s.Bytes,
				Packs: s.Packs, PackBytes: s.PackBytes, Last: s.Start})
		}
		one := &list[len(list)-1]
		one.Versions++
		one.Added += s.Added
		one.First = s.Start
		one.Damaged = max(one.Damaged, s.Damaged)
		return nil
	})
	if err != nil {
		return err
	}
	if c.Name != "" && len(list) == 0 {
		return noBackup(c.Name, 0)
	}
	slices.SortFunc(list, func(a, b statJSON) int { return cmp.Compare(a.Name, b.Name) })
	if a.json {
		return a.printArray(func(print func(any) error) error {
			for _, one := range list {
				if err := print(one); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSIONS\tFILES\tSIZE\tADDED\tSTORED\tSOURCE")
	for _, one := range list {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", program.Printable(one.Name), one.Versions, one.Files, program.Size(one.Size),
			program.Size(one.Added), program.Size(one.PackBytes), program.Printable(one.Source))
	}
	return w.Flush()
}

type uploadsCommand struct {
	List    uploadsListCommand    `cmd:"" default:"withargs" help:"List snapshots that did not finish."`
	Discard uploadsDiscardCommand `cmd:"" help:"Discard what an unfinished snapshot has sent."`
}

type uploadsListCommand struct{}

// runJSON is an unfinished snapshot as JSON.
type runJSON struct {
	ID     string    `json:"id"`
	Name   string    `json:"name,omitempty"` // if there is a snapshot of that name
	Packs  uint32    `json:"packs"`
	Stored uint64    `json:"stored_size"`
	Begun  time.Time `json:"begun"`
	Seen   time.Time `json:"seen"`
}

func (uploadsListCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	runs, err := snaps.repo.Runs(a.ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	if len(runs) > 0 {
		err := view.List(a.ctx, snaps.repo, snaps.forReading(), "", false, func(s view.Summary, bad error) error {
			names[s.Listed.Name] = s.Label
			return nil
		})
		if err != nil {
			return err
		}
	}
	list := make([]runJSON, 0, len(runs))
	for _, r := range runs {
		list = append(list, runJSON{hex.EncodeToString(r.Run[:]), names[r.Name], r.Packs, r.Bytes, r.Begun, r.Seen})
	}
	if a.json {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tPACKS\tSTORED\tBEGUN\tLAST SEEN")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", r.ID, cmp.Or(program.Printable(r.Name), "-"), r.Packs, program.Size(r.Stored),
			r.Begun.Local().Format(time.DateTime), r.Seen.Local().Format(time.DateTime))
	}
	return w.Flush()
}

type uploadsDiscardCommand struct {
	ID  string `arg:"" optional:"" help:"Id of the unfinished snapshot, from coffer uploads list. A unique prefix is enough."`
	All bool   `help:"Discard all unfinished snapshots."`
}

func (c *uploadsDiscardCommand) Validate() error {
	if c.All == (c.ID != "") {
		return fmt.Errorf("give an id or --all")
	}
	return nil
}

func (c *uploadsDiscardCommand) Run(a *app) error {
	u, snaps, err := a.openSnapshots()
	if err != nil {
		return err
	}
	defer u.session.Close()
	runs, err := snaps.repo.Runs(a.ctx)
	if err != nil {
		return err
	}
	discarded := []string{}
	for _, r := range runs {
		id := hex.EncodeToString(r.Run[:])
		if !c.All && !bytes.HasPrefix([]byte(id), []byte(c.ID)) {
			continue
		}
		if err := snaps.repo.End(a.ctx, snapshot.RunID(r.Run)); err != nil {
			return err
		}
		discarded = append(discarded, id)
	}
	if !c.All && len(discarded) == 0 {
		return fmt.Errorf("no unfinished snapshot has the id %q", c.ID)
	}
	if a.json {
		return a.printJSON(map[string]any{"discarded": discarded})
	}
	_, err = fmt.Fprintf(a.stdout, "discarded %s\n", program.Count(len(discarded), "unfinished snapshot", "unfinished snapshots"))
	return err
}
