package maintain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/store"
)

// A Swept says what a pass of a sweep did.
type Swept struct {
	Marked     int   // packs that nothing needs from now on
	Bytes      int64 // of these
	Removed    int   // packs that had been dead for the grace
	Freed      int64 // bytes of these
	Expired    []store.Run
	PassedOver map[store.ClientID]error // clients whose packs were left alone, and why
}

// A SweepCatalog is what a sweep asks of the catalog.
type SweepCatalog interface {
	Marked
	store.Sweeps
	PackOwners(ctx context.Context, visit func(store.ClientID) error) error
}

// SweepBlobs are what a sweep asks of the blobs.
type SweepBlobs interface {
	MarkedBlobs
	Remove(ctx context.Context, ref store.BlobRef) error
}

// A Sweeper removes packs that nobody needs. Its passes do not overlap.
type Sweeper struct {
	Catalog SweepCatalog
	Blobs   SweepBlobs
	Every   time.Duration // how often there is a pass
	Grace   time.Duration // how long a pack is left that nobody needs
	RunIdle time.Duration // how long a run lives without a request

	last time.Time // when the last pass began, by the monotonic clock
}

// sweepStep is how many packs are marked in one transaction, and removed
// before they are forgotten.
const sweepStep = 2000

// Pass makes one pass over all clients, or returns ErrUnreconciled. What has
// gone by since the pass before counts, by the monotonic clock, and as one
// interval at most: neither a leap of the clock nor a night that the server was
// off makes a pack older. The first pass counts nothing.
func (s *Sweeper) Pass(ctx context.Context) (Swept, error) {
	began := time.Now()
	done := Swept{PassedOver: make(map[store.ClientID]error)}
	same, err := together(ctx, s.Catalog, s.Blobs)
	if err == nil && !same {
		err = ErrUnreconciled
	}
	if err == nil {
		err = remark(ctx, s.Catalog, s.Blobs)
	}
	if err != nil {
		return done, fmt.Errorf("sweeping packs: %w", err)
	}
	rules := store.SweepRules{Grace: s.Grace, RunIdle: s.RunIdle, Limit: sweepStep}
	if !s.last.IsZero() {
		rules.Elapsed = min(began.Sub(s.last), s.Every)
	}
	s.last = began
	err = s.Catalog.PackOwners(ctx, func(client store.ClientID) error {
		err := s.client(ctx, client, rules, &done)
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, errLeft) {
			done.PassedOver[client] = err
			return nil
		}
		return err
	})
	for more := true; more && err == nil; {
		more, err = s.Catalog.SweepLeftovers(ctx)
	}
	if err != nil {
		return done, fmt.Errorf("sweeping packs: %w", err)
	}
	return done, nil
}

// errLeft: a pack's blob could not be removed. The next pass tries again.
var errLeft = errors.New("a pack could not be removed")

// client sweeps one client's packs, in steps.
func (s *Sweeper) client(ctx context.Context, client store.ClientID, rules store.SweepRules, done *Swept) error {
	for more := true; more; rules.Elapsed = 0 {
		swept, err := s.Catalog.SweepPacks(ctx, client, rules)
		if err != nil {
			return err
		}
		done.Marked += swept.Marked
		done.Bytes += swept.Bytes
		done.Expired = append(done.Expired, swept.Expired...)
		if err := s.remove(ctx, client, swept.Removable, done); err != nil {
			return err
		}
		more = swept.More
	}
	return nil
}

// remove removes the blobs of dead packs, each that row's own and no other, and
// then forgets the packs.
func (s *Sweeper) remove(ctx context.Context, client store.ClientID, packs []store.Pack, done *Swept) error {
	var gone []uint32
	var failed error
	for _, p := range packs {
		if err := s.Blobs.Remove(ctx, p.Blob); err != nil {
			failed = fmt.Errorf("%w: %w", errLeft, err)
			break
		}
		gone = append(gone, p.Ordinal)
		done.Removed++
		done.Freed += p.Size
	}
	if len(gone) > 0 {
		if err := s.Catalog.ForgetPacks(ctx, client, gone); err != nil {
			return err
		}
	}
	return failed
}
