package store

import (
	"context"
	"time"
)

// SweepRules say how a sweep goes about it. All times are counted by passes:
// Elapsed is what a sweeper saw go by since the pass before, so that no leap of
// a clock, and no night that the server was off, makes anything old.
type SweepRules struct {
	Elapsed time.Duration // since the last pass, as its sweeper measured it; at most the interval of passes
	Grace   time.Duration // how long a dead pack keeps its blob
	RunIdle time.Duration // how long a run lives without a request of it
	Limit   int           // packs to mark, and to return, in one step; 0: as many as there are
}

// Swept is what a step of a sweep found.
type Swept struct {
	Marked    int    // packs that are dead from now on
	Bytes     int64  // of these
	Expired   []Run  // runs that ended for lack of requests
	Removable []Pack // whose blobs are to be removed, and which are to be forgotten then
	More      bool   // another step is due, with Elapsed 0, which ends no runs
}

// Sweeps is the part of the catalog that finds out which packs nobody needs.
type Sweeps interface {
	// SweepPacks makes one step of a sweep of a client's packs. It ends runs
	// that were idle for long, and marks as dead, in the transaction that
	// proves it, the packs that no snapshot, no mend and no run needs. From
	// then on AskPacks says that they are missing, and a commit refuses them.
	// Then it returns the packs that have been dead for the grace. ErrDamaged
	// if what a snapshot needs cannot be read: then nothing was marked.
	SweepPacks(ctx context.Context, client ClientID, rules SweepRules) (Swept, error)
	// ForgetPacks forgets dead packs, whose blobs were removed. Those that are
	// not dead are passed over.
	ForgetPacks(ctx context.Context, client ClientID, ordinals []uint32) error
	// SweepLeftovers forgets some of what removed clients left in the catalog,
	// and reports whether there is more. Their blobs are not its business.
	SweepLeftovers(ctx context.Context) (more bool, err error)
}
