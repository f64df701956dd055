package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"coffer/maintain"
	"coffer/server/metrics"
	"coffer/server/settings"
	"coffer/store"
)

// A sweeper removes the packs that no snapshot and no run needs: the catalog
// marks them in the transaction that proves it, and what has been marked for the
// grace goes. Clients neither ask for it nor wait for it.
type sweeper struct {
	catalog  sweepCatalog
	blobs    sweepBlobs
	settings func() settings.Values
	metrics  *metrics.Metrics
	journal  *journal
	log      *slog.Logger
	due      chan struct{} // holds one wish for a sweep soon
}

// A sweepCatalog is what sweeping asks of the catalog.
type sweepCatalog interface {
	maintain.PackCatalog // for reconciling
	store.Sweeps
}

// sweepBlobs are what sweeping asks of the blobs.
type sweepBlobs interface {
	maintain.PackBlobs // for reconciling
	blobRemover
}

func newSweeper(s *Server) *sweeper {
	return &sweeper{catalog: s.cfg.Catalog, blobs: s.cfg.Blobs, settings: s.Settings, metrics: s.metrics, journal: s.journal, log: s.log,
		due: make(chan struct{}, 1)}
}

// sweepPause is the least time between two sweeps, however much is removed.
const sweepPause = time.Minute

// sweepStep is how many packs a transaction of a sweep takes on.
const sweepStep = 1000

// reconcile brings the catalog into agreement with the packs beside it, if it is
// not the one that was used with them last. Until that is done, nothing is swept.
func (w *sweeper) reconcile(ctx context.Context) error {
	done, err := maintain.Reconcile(ctx, w.catalog, w.blobs)
	if errors.Is(err, store.ErrFull) {
		// Restoring and removing must work on a full disk.
		w.log.Warn("the disk is full: packs are swept once there is room; after a catalog was replaced, once the core was restarted", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if done.Needed {
		w.log.Warn("the catalog is not the one that was used with these packs last; it has been reconciled with them",
			"packs_added", done.Packs, "packs_missing", done.Missing, "snapshots_added", done.Snapshots)
	}
	if done.Damaged != nil {
		w.log.Error("packs are not swept, since something beside them cannot be read", "error", done.Damaged)
	}
	return nil
}

// poke has a sweep come soon, since something was removed.
func (w *sweeper) poke() {
	select {
	case w.due <- struct{}{}:
	default:
	}
}

// run sweeps until ctx is done.
func (w *sweeper) run(ctx context.Context) {
	last := time.Now()
	for w.wait(ctx, last) {
		// What counts as time is what this sweeper saw go by, and no more than
		// an interval of it: no leap of a clock makes a pack old.
		now := time.Now()
		elapsed := min(now.Sub(last), w.settings().SweepEvery)
		last = now
		if err := w.pass(ctx, elapsed); err != nil && ctx.Err() == nil {
			w.log.Error("cannot sweep packs", "error", err)
		}
	}
}

// wait waits until a sweep is due, and reports whether there is to be one.
func (w *sweeper) wait(ctx context.Context, last time.Time) bool {
	soon := false
	for {
		every := w.settings().SweepEvery
		since := time.Since(last)
		if every > 0 && (since >= every || soon && since >= sweepPause) {
			return true
		}
		next := sweepPause // settings can change meanwhile
		if every > 0 {
			next = max(min(sweepPause, every-since), time.Millisecond)
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-w.due:
			soon = true
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return false
		}
	}
}

// pass sweeps the packs of all clients. What is wrong with those of one keeps no
// other from being swept.
func (w *sweeper) pass(ctx context.Context, elapsed time.Duration) error {
	if err := maintain.BeginSweep(ctx, w.catalog, w.blobs); err != nil {
		return err
	}
	var owners []store.ClientID
	err := w.catalog.PackOwners(ctx, func(id store.ClientID) error {
		owners = append(owners, id)
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range owners {
		if err := w.sweep(ctx, id, elapsed); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			w.log.Error("cannot sweep the packs of a client", "client", id, "error", err)
			w.journal.noteError("", id, "its packs cannot be swept; the log says why")
		}
	}
	for more := true; more; {
		if more, err = w.catalog.SweepLeftovers(ctx); err != nil {
			return err
		}
	}
	w.metrics.Sweeps.Add(1)
	return nil
}

// sweep sweeps the packs of one client.
func (w *sweeper) sweep(ctx context.Context, id store.ClientID, elapsed time.Duration) error {
	now := w.settings()
	rules := store.SweepRules{Elapsed: elapsed, Grace: now.SweepGrace, RunIdle: now.RunTimeout, Limit: sweepStep}
	removed, bytes := 0, int64(0)
	defer func() { w.tell(ctx, id, removed, bytes) }()
	for {
		swept, err := w.catalog.SweepPacks(ctx, id, rules)
		if err != nil {
			return err
		}
		w.metrics.PacksMarked.Add(uint64(swept.Marked))
		w.expired(ctx, swept.Expired)
		n, size, err := w.remove(ctx, id, swept.Removable)
		removed, bytes = removed+n, bytes+size
		if err != nil || !swept.More {
			return err
		}
		rules.Elapsed = 0
	}
}

// remove removes the blobs of dead packs, and then the packs. One whose blob
// cannot be removed stays for the next sweep.
func (w *sweeper) remove(ctx context.Context, id store.ClientID, dead []store.Pack) (removed int, bytes int64, err error) {
	var gone []uint32
	var failed error
	for _, p := range dead {
		if err := w.blobs.Remove(ctx, p.Blob); err != nil {
			failed = fmt.Errorf("remove a pack: %w", err)
			break
		}
		gone, bytes = append(gone, p.Ordinal), bytes+p.Size
	}
	if len(gone) == 0 {
		return 0, 0, failed
	}
	if err := w.catalog.ForgetPacks(ctx, id, gone); err != nil {
		return 0, 0, errors.Join(failed, err)
	}
	w.metrics.PacksSwept.Add(uint64(len(gone)))
	w.metrics.BytesSwept.Add(uint64(bytes))
	return len(gone), bytes, failed
}

// expired notes runs that ended for lack of requests.
func (w *sweeper) expired(ctx context.Context, runs []store.Run) {
	for _, run := range runs {
		w.metrics.RunsExpired.Add(1)
		w.journal.note(store.Activity{Kind: store.ActivityUploadDropped, Outcome: store.OutcomeWarning, Client: run.Client, Name: w.journal.nameOf(ctx, run.Client),
			File: run.Name, Bytes: run.Bytes, Took: time.Since(run.Begun), Detail: "a snapshot that was not finished in time; it had " + plural(int(run.Packs), "pack", "packs")})
	}
}

// tell notes what a sweep removed.
func (w *sweeper) tell(ctx context.Context, id store.ClientID, removed int, bytes int64) {
	if removed == 0 {
		return
	}
	w.log.Info("packs swept", "client", id, "packs", removed, "bytes", bytes)
	w.journal.note(store.Activity{Kind: store.ActivityRemoval, Outcome: store.OutcomeOK, Client: id, Name: w.journal.nameOf(ctx, id), Bytes: bytes,
		Detail: plural(removed, "pack that no snapshot needed", "packs that no snapshot needed")})
}
