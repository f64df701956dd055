package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"coffer/backup"
	"coffer/client"
	"coffer/internal/program"
	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/remote"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// snapshots are those of an account, at its server.
type snapshots struct {
	repo  *remote.Repository
	keys  *snapshot.Keys
	id    age.Identity
	to    age.Recipient
	epoch string
	trust backup.Trust // what is opened is held against what was seen

	listing  sync.Mutex
	machines []view.Machine // of the account, once they were asked for
	asked    bool
}

// openSnapshots opens the account and its snapshots. The caller closes the
// user's session.
func (a *app) openSnapshots() (*user, *snapshots, error) {
	u, err := a.openUser()
	if err != nil {
		return nil, nil, err
	}
	snaps, err := u.snapshots(0)
	if err != nil {
		u.session.Close()
		return nil, nil, err
	}
	return u, snaps, nil
}

// snapshots prepares to work with an account's snapshots. Limit is how many bytes
// are sent in a second; 0 is no limit.
func (u *user) snapshots(limit uint64) (*snapshots, error) {
	trust := backup.Trust{Memory: u.memory}
	if u.profile.sendOnly() {
		keys, to, err := u.profile.machineKeys()
		if err != nil {
			return nil, err
		}
		return &snapshots{repo: remote.New(u.session, limit), keys: keys, to: to, epoch: snapshot.Epoch(u.profile.Recipient), trust: trust}, nil
	}
	keys, err := snapshot.DeriveKeys(u.identity.Secret(), snapshot.MachineID{})
	if err != nil {
		return nil, err
	}
	id, to, err := snapshot.ParseIdentity(u.identity.Secret())
	if err != nil {
		return nil, err
	}
	return &snapshots{repo: remote.New(u.session, limit), keys: keys, id: id, to: to, epoch: snapshot.Epoch(u.identity.Recipient()), trust: trust}, nil
}

// recipient is what the profile encrypts to.
func (u *user) recipient() string {
	if u.profile.sendOnly() {
		return u.profile.Recipient
	}
	return u.identity.Recipient()
}

func (s *snapshots) forTaking() take.Keys {
	return take.Keys{Keys: s.keys, Recipient: s.to, Epoch: s.epoch}
}

func (s *snapshots) forReading() view.Keys {
	return view.Keys{Identity: s.id, Machines: s.senders, Of: func(m snapshot.MachineID) (*snapshot.Keys, error) {
		if m == (snapshot.MachineID{}) {
			return s.keys, nil
		}
		return snapshot.DeriveKeys(s.id.(snapshot.Identity).String(), m)
	}}
}

// senders are the account's send-only machines, asked for once.
func (s *snapshots) senders(ctx context.Context) ([]view.Machine, error) {
	s.listing.Lock()
	defer s.listing.Unlock()
	if s.asked {
		return s.machines, nil
	}
	var err error
	s.machines, err = s.repo.Machines(ctx)
	s.asked = err == nil
	return s.machines, err
}

// wireName is what the server knows a name as, which may be NAME@MACHINE.
func (s *snapshots) wireName(ctx context.Context, name string) (string, error) {
	return s.forReading().WireName(ctx, name)
}

// cachePath is where this machine remembers what is in an account's snapshots.
func (a *app) cachePath(u *user) (string, error) {
	dir, err := a.cacheFolder()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte("coffer cache\x00" + u.profile.ClientID + "\x00" + u.recipient()))
	return filepath.Join(dir, hex.EncodeToString(sum[:8])+".db"), nil
}

// cacheWait is how long another backup on this machine may take before this one
// says that it waits for it.
const cacheWait = 2 * time.Second

// openCache opens the account's cache, waiting for another backup to end.
func (a *app) openCache(u *user) (*cache.Cache, error) {
	path, err := a.cachePath(u)
	if err != nil {
		return nil, err
	}
	said := false
	for {
		c, err := cache.Open(path, []byte(u.profile.ClientID+" "+u.recipient()), cacheWait)
		if !errors.Is(err, cache.ErrBusy) {
			return c, err
		}
		if !said {
			fmt.Fprintf(a.stderr, "coffer: %v: waiting for it to end\n", cache.ErrBusy)
			said = true
		}
		if err := a.ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// A target is a snapshot, or something in one, as NAME[@VERSION|@DATE][:PATH].
type target struct {
	text    string // as it was typed
	name    string
	version uint32
	until   time.Time // the newest of this time; zero: any
	path    string    // in the snapshot; "" is all
}

var targetForm = regexp.MustCompile(`^([^:]*?)(?:@(\d+|\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?))?(?::(.*))?$`)

// parseTarget reads a target.
func parseTarget(text string) (target, error) {
	t := target{text: text}
	parts := targetForm.FindStringSubmatch(text)
	if parts == nil || parts[1] == "" {
		return t, fmt.Errorf("%w: %q is not NAME, NAME@VERSION, NAME@DATE or one of them with :PATH", program.ErrUsage, text)
	}
	t.name, t.path = parts[1], strings.Trim(filepath.ToSlash(parts[3]), "/")
	if parts[2] == "" {
		return t, nil
	}
	if n, err := strconv.ParseUint(parts[2], 10, 32); err == nil && n > 0 {
		t.version = uint32(n)
		return t, nil
	}
	for _, form := range []struct {
		layout string
		unit   time.Duration
	}{{"2006-01-02", 0}, {"2006-01-02T15:04", time.Minute}, {"2006-01-02T15:04:05", time.Second}} {
		at, err := time.ParseInLocation(form.layout, strings.Replace(parts[2], " ", "T", 1), time.Local)
		if err != nil {
			continue
		}
		t.until = at.Add(form.unit)
		if form.unit == 0 {
			t.until = at.AddDate(0, 0, 1)
		}
		t.until = t.until.Add(-time.Nanosecond) // all of the day, or minute, counts
		return t, nil
	}
	return t, fmt.Errorf("%w: %q is neither a version nor a date", program.ErrUsage, parts[2])
}

// checkLabel refuses a name that would read as a target with a version or a path.
func checkLabel(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if strings.ContainsAny(name, "@:") {
		return fmt.Errorf("%w: the name %q contains @ or :, which introduce versions and paths: choose another with --name", program.ErrUsage, name)
	}
	return nil
}

// open opens the snapshot that a target names. Without one it fails with
// [view.ErrNotFound].
func (s *snapshots) open(ctx context.Context, t target) (*view.Snapshot, error) {
	version := t.version
	if !t.until.IsZero() {
		var err error
		if version, err = view.At(ctx, s.repo, s.forReading(), t.name, t.until); err != nil {
			return nil, err
		}
	}
	wireName, err := s.wireName(ctx, t.name)
	if err != nil {
		return nil, err
	}
	snap, err := view.Open(ctx, s.repo, s.forReading(), t.name, version)
	if errors.Is(err, view.ErrNotFound) && asked(t) == 0 {
		err = cmp.Or(s.checkMissing(ctx, t), err)
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.trust.CheckSnapshot(wireName, asked(t), snap.Number, snap.Digest); err != nil {
		return nil, err
	}
	return snap, nil
}

// seen reports whether this machine has seen a snapshot that was opened.
func (s *snapshots) seen(ctx context.Context, t target, snap *view.Snapshot) (bool, error) {
	wireName, err := s.wireName(ctx, t.name)
	if err != nil {
		return false, err
	}
	return s.trust.CheckSnapshot(wireName, asked(t), snap.Number, snap.Digest)
}

// checkMissing fails if this machine has seen snapshots of a name that the server
// says has none: an archive of the name would be older.
func (s *snapshots) checkMissing(ctx context.Context, t target) error {
	wireName, err := s.wireName(ctx, t.name)
	if err != nil {
		return err
	}
	if err := s.trust.CheckMissing(wireName); err != nil {
		return fmt.Errorf("snapshots of %s: %w", program.Printable(t.name), err)
	}
	return nil
}

// remember notes a snapshot that was opened.
func (s *snapshots) remember(a *app, t target, snap *view.Snapshot) error {
	wireName, err := s.wireName(a.ctx, t.name)
	if err == nil {
		a.remembers(s.trust.RememberSnapshot(wireName, t.name, asked(t), snap.Number, snap.Digest))
	}
	return err
}

// find opens a snapshot, and finds what a target names in it. A path may also be
// the absolute one that it had on its machine.
func (s *snapshots) find(ctx context.Context, t target) (*view.Snapshot, *snapshot.Entry, error) {
	snap, err := s.open(ctx, t)
	if err != nil {
		return nil, nil, aboutTarget(t, err)
	}
	e, err := snap.Find(ctx, t.path)
	if errors.Is(err, view.ErrNotFound) && len(snap.Paths) == 1 {
		if rest, ok := strings.CutPrefix("/"+t.path+"/", strings.TrimSuffix(snap.Paths[0], "/")+"/"); ok {
			e, err = snap.Find(ctx, rest)
		}
	}
	if err != nil {
		return nil, nil, aboutTarget(t, err)
	}
	return snap, e, nil
}

// aboutTarget says that there is no such snapshot, or nothing in it.
func aboutTarget(t target, err error) error {
	if !errors.Is(err, view.ErrNotFound) {
		return fmt.Errorf("read %s: %w", t.text, err)
	}
	if t.path != "" {
		return fmt.Errorf("read %s: %w", t.text, err)
	}
	return noBackup(t.name, t.version)
}

// has reports whether a backup of a name is a snapshot on the server.
func (s *snapshots) has(ctx context.Context, name string) (bool, error) {
	wireName, err := s.wireName(ctx, name)
	if err != nil {
		return false, err
	}
	newest, err := s.repo.Newest(ctx, wireName)
	if errors.Is(err, client.ErrNoSnapshots) {
		return false, nil
	}
	return newest != nil, err
}

// learn has a cache that knows nothing of a label remember its newest snapshot,
// and one that knows nothing at all those of all labels: what they have in common
// with what is backed up is not sent again.
func (s *snapshots) learn(a *app, c *cache.Cache, label string) error {
	if _, known := c.Snapshot(s.keys.WireName(label)); known {
		return nil
	}
	labels := []string{label}
	if c.Fresh {
		labels = nil
		err := view.List(a.ctx, s.repo, s.forReading(), "", false, func(l view.Summary, bad error) error {
			if bad == nil && l.From == "" { // no key set has chunks of another
				labels = append(labels, l.Label)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, label := range labels {
		if err := take.Learn(a.ctx, s.repo, s.forReading(), c, label); err != nil {
			if a.ctx.Err() != nil || client.IsTransport(err) {
				return err
			}
			// What cannot be learnt is read and sent again.
			fmt.Fprintf(a.stderr, "coffer: the snapshots of %s cannot be read, so its files are read and sent again: %s\n", quoted(label), program.Printable(err.Error()))
		}
	}
	return nil
}
