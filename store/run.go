package store

import (
	"context"
	"encoding/hex"
	"time"
)

// A RunID names a run. Its client makes it, at random.
type RunID [16]byte

// String is the id in hexadecimal.
func (id RunID) String() string { return hex.EncodeToString(id[:]) }

// A Run is the making of one snapshot. It pins packs, so that no sweep takes
// them: the packs of its base, and packs that were found, placed or added under
// it. It ends when it commits, when its client ends it, or when it makes no
// request for long. A client may have any number of runs at once, and none
// waits for another.
type Run struct {
	ID     RunID
	Client ClientID
	Name   string    // the file that the snapshot becomes a version of
	Base   uint32    // the version that the client starts from, 0 if none
	Begun  time.Time // by the server's clock
	Seen   time.Time // a recent request of it; not exactly the last
	Packs  int64     // added under it
	Bytes  int64     // of these
}

// A FoundPack is where a pack that is asked for is. A zero Ordinal: it is
// missing.
type FoundPack struct {
	Ordinal uint32
	Size    int64
}

// Runs is the part of the catalog that knows which snapshots are being made.
// Every method that changes something returns once the change is on stable
// storage.
type Runs interface {
	// BeginRun begins a run and pins the packs of its base, and returns the
	// newest version of the file, 0 if there is none. An existing run of that
	// id stays unchanged. ErrNoClient if the client is gone, ErrNoFile if the
	// base is not a snapshot.
	BeginRun(ctx context.Context, r Run) (newest uint32, err error)
	// Run finds a run of a client, or returns ErrNoRun.
	Run(ctx context.Context, client ClientID, run RunID) (Run, error)
	// RunBase returns the packs of a run's base, as they were when it began,
	// without lost ones: the set as package packset encodes it, and their
	// bytes. ErrNoRun if the run has ended.
	RunBase(ctx context.Context, client ClientID, run RunID) (packs []byte, bytes int64, err error)
	// ListRuns returns the runs of a client, the oldest first.
	ListRuns(ctx context.Context, client ClientID) ([]Run, error)
	// EndRun ends a run without a snapshot, or returns ErrNoRun. What only it
	// pinned goes with a later sweep.
	EndRun(ctx context.Context, client ClientID, run RunID) error

	// AskPacks finds packs and pins the ones found, all in one step; a dead or
	// damaged one is missing. The answer has one element for each id. Thousands
	// of ids at a time cost little more than one. ErrNoRun if the run has
	// ended.
	AskPacks(ctx context.Context, client ClientID, run RunID, ids []PackID) ([]FoundPack, error)
	// PlacePack says which ordinal a pack has that is about to be stored, and
	// pins it. there is true if the pack is there already, whole, and need not
	// be stored. A damaged one keeps its ordinal, and is replaced by AddPack.
	// ErrNoRun if the run has ended.
	PlacePack(ctx context.Context, client ClientID, run RunID, id PackID) (ordinal uint32, there bool, err error)
	// AddPack adds a pack that was stored under the ordinal that PlacePack
	// gave, and pins it. unused is the blob that nothing refers to now, to be
	// removed, or "": the damaged one that this one replaces, or p.Blob if the
	// same pack was added in the meantime. ErrNoRun if the run has ended: then
	// p.Blob is to be removed as well.
	AddPack(ctx context.Context, run RunID, p Pack) (unused BlobRef, err error)
}
