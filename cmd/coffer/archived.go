package main

import (
	"fmt"
	"time"

	"coffer/backup"
	"coffer/client"
	"coffer/protocol"
)

// A name can have snapshots and archives, each with versions of their own. A
// snapshot is what a name means if it has one: which of the two is newer, only
// the server could say, and a server that lies must not choose for the owner.

// archived is the newest archive of a name, nil if there is none.
func (a *app) archived(u *user, name string) (*protocol.FileInfo, error) {
	if protocol.CheckName(name) != nil {
		return nil, nil
	}
	info, err := backup.Info(a.ctx, u.session, name, 0)
	if client.IsStatus(err, protocol.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an archive of %s: %w", name, err)
	}
	return info, nil
}

// sayNewerArchive says that a name has an archive from after its newest
// snapshot, such as one from the web client.
func (a *app) sayNewerArchive(u *user, t target, made time.Time) error {
	if t.version > 0 || !t.until.IsZero() || t.path != "" {
		return nil
	}
	info, err := a.archived(u, t.name)
	if err != nil || info == nil || !info.Created.After(made) {
		return err
	}
	fmt.Fprintf(a.stderr, "coffer: %s has a newer archive, version %d of %s, beside this snapshot: --archive selects it\n",
		quoted(t.name), info.Version, info.Created.Local().Format(time.DateTime))
	return nil
}

// sayArchivesStay says that a name whose snapshots were removed still has
// archives.
func (a *app) sayArchivesStay(u *user, name string) error {
	info, err := a.archived(u, name)
	if err == nil && info != nil {
		fmt.Fprintf(a.stderr, "coffer: %s still has archives, up to version %d: --archive removes them\n", quoted(name), info.Version)
	}
	return err
}
